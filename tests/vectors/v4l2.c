/* Prints what tests/edge/test_v4l2.py compares: made with the kernel's own header.
   cc tests/vectors/v4l2.c -o v4l2 && ./v4l2 > tests/vectors/v4l2.json */
#include <linux/videodev2.h>
#include <linux/v4l2-dv-timings.h>
#include <stdio.h>
#include <string.h>

static void hex(const char *name, const void *data, unsigned long size, const char *end) {
  printf("  \"%s\": \"", name);
  for (unsigned long i = 0; i < size; i++) printf("%02x", ((const unsigned char *)data)[i]);
  printf("\"%s\n", end);
}
#define NUMBER(x) printf("  \"" #x "\": %lu,\n", (unsigned long)VIDIOC_##x)

int main(void) {
  printf("{\n");
  NUMBER(QUERYCAP); NUMBER(ENUM_FMT); NUMBER(ENUM_FRAMESIZES); NUMBER(ENUM_FRAMEINTERVALS); NUMBER(G_INPUT);
  NUMBER(ENUMINPUT); NUMBER(QUERY_DV_TIMINGS); NUMBER(S_DV_TIMINGS); NUMBER(G_EDID);
  struct v4l2_capability cap = {.driver = "uvcvideo", .card = "USB Video: HDMI", .bus_info = "usb-0000:00:14.0-2",
    .capabilities = V4L2_CAP_DEVICE_CAPS | V4L2_CAP_VIDEO_CAPTURE, .device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING};
  hex("capability", &cap, sizeof cap, ",");
  cap.device_caps = V4L2_CAP_META_CAPTURE;
  hex("metadata", &cap, sizeof cap, ",");
  struct v4l2_fmtdesc fmt = {.index = 1, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .flags = V4L2_FMT_FLAG_COMPRESSED,
    .description = "Motion-JPEG", .pixelformat = V4L2_PIX_FMT_MJPEG};
  hex("format", &fmt, sizeof fmt, ",");
  struct v4l2_frmsizeenum one = {.index = 2, .pixel_format = V4L2_PIX_FMT_YUYV, .type = V4L2_FRMSIZE_TYPE_DISCRETE,
    .discrete = {1280, 720}};
  hex("size", &one, sizeof one, ",");
  struct v4l2_frmsizeenum range = {.type = V4L2_FRMSIZE_TYPE_STEPWISE, .stepwise = {64, 1920, 2, 64, 1080, 2}};
  hex("size_range", &range, sizeof range, ",");
  struct v4l2_frmivalenum rate = {.width = 1280, .height = 720, .type = V4L2_FRMIVAL_TYPE_DISCRETE,
    .discrete = {1001, 60000}};
  hex("rate", &rate, sizeof rate, ",");
  struct v4l2_frmivalenum rates = {.type = V4L2_FRMIVAL_TYPE_CONTINUOUS,
    .stepwise = {{1, 60}, {1, 5}, {1, 1}}};
  hex("rate_range", &rates, sizeof rates, ",");
  struct v4l2_input input = {.index = 0, .name = "HDMI 0", .type = V4L2_INPUT_TYPE_CAMERA,
    .status = V4L2_IN_ST_NO_SIGNAL | V4L2_IN_ST_NO_SYNC, .capabilities = V4L2_IN_CAP_DV_TIMINGS};
  hex("input", &input, sizeof input, ",");
  struct v4l2_dv_timings p60 = V4L2_DV_BT_CEA_1920X1080P60, i50 = V4L2_DV_BT_CEA_1920X1080I50,
    p50 = V4L2_DV_BT_CEA_1280X720P50, sxga = V4L2_DV_BT_DMT_1280X1024P60;
  hex("1080p60", &p60, sizeof p60, ","); hex("1080i50", &i50, sizeof i50, ",");
  hex("720p50", &p50, sizeof p50, ","); hex("1280x1024", &sxga, sizeof sxga, ",");
  struct v4l2_edid edid = {.blocks = 2, .edid = (void *)0x1122334455667788};
  hex("edid", &edid, sizeof edid, "");
  printf("}\n");
}
