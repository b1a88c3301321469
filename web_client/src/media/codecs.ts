import type { TrackInfo } from "../protocol/messages";

export type Codec = TrackInfo["codec"];

const BY_MIME: Record<string, Codec> = {
  "video/h264": "H264",
  "video/vp8": "VP8",
  "video/vp9": "VP9",
  "video/av1": "AV1",
  "audio/opus": "opus",
};

/** Which of our codecs are among a browser's MIME types, each once. */
export function knownCodecs(mimeTypes: readonly string[]): Codec[] {
  return [...new Set(mimeTypes.flatMap((mime) => BY_MIME[mime.toLowerCase()] ?? []))];
}

/** What this browser can decode. Firefox without its H.264 module, for one, cannot show most devices. */
export function decodableCodecs(): Codec[] {
  const codecs = (["video", "audio"] as const).flatMap(
    (kind) => RTCRtpReceiver.getCapabilities(kind)?.codecs ?? [],
  );
  return knownCodecs(codecs.map((codec) => codec.mimeType));
}
