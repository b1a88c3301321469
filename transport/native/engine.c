/* The media path's inner loop: RTP headers, AES-GCM (RFC 7714) and UDP_SEGMENT sends for many subscribers in one
 * call, the receiving of what waits, and the opening of what one publisher sent at once.
 *
 * It decides nothing. Which index may be used is `rtp.srtp`'s business, where to send is `transport.server`'s; the
 * cipher itself is OpenSSL's, found in the running process and given to `tc_init` as function pointers, so that
 * neither headers nor a library are needed to build this file. Everything here is used by one thread at a time.
 */
#define _GNU_SOURCE
#ifdef TC_MODULE
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#endif
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define SOL_UDP 17
#define UDP_SEGMENT 103
#define UDP_GRO 104
#define STAMP_NS 35 /* SO_TIMESTAMPNS with a 64-bit struct timespec */
#define OVERFLOWED 40 /* SO_RXQ_OVFL */
#define IPPROTO_IP_LEVEL 0
#define IPPROTO_IPV6_LEVEL 41
#define IP_PKTINFO_TYPE 8
#define IPV6_PKTINFO_TYPE 50
#define MAX_RECEIVED 8
#define ANCILLARY_BYTES 256
#define ADDRESS_BYTES 28
#define LOCAL_BYTES 20
#define TAG_BYTES 16
#define NONCE_BYTES 12
#define FIXED_HEADER_BYTES 12
#define MAX_SEGMENTS 60
#define MAX_RUN_BYTES 65000
#define SCRATCH_BYTES 131072
#define CONTROL_BYTES 64
#define GCM_GET_TAG 0x10
#define GCM_SET_TAG 0x11

typedef struct {
    void *(*ctx_new)(void);
    void (*ctx_free)(void *);
    const void *(*aes_128_gcm)(void);
    const void *(*aes_256_gcm)(void);
    int (*cipher_init)(void *, const void *, void *, const uint8_t *, const uint8_t *, int);
    int (*cipher_update)(void *, uint8_t *, int *, const uint8_t *, int);
    int (*cipher_final)(void *, uint8_t *, int *);
    int (*ctx_ctrl)(void *, int, int, void *);
} tc_openssl;

typedef struct {
    void *ctx;
    int encrypts;
    uint8_t salt[NONCE_BYTES];
} tc_cipher;

/* Where a subscriber is. `max_segment`: larger datagrams are sent one by one, because the kernel refused. */
typedef struct {
    struct sockaddr_storage address;
    uint32_t address_bytes;
    uint32_t max_segment;
    uint32_t control_bytes;
    uint8_t control[CONTROL_BYTES];
} tc_path;

/* Packets many subscribers get: header templates and payloads laid end to end; entry i ends where i + 1 begins.
 * `number_at`: place of the transport-wide number in the header, -1 without one. */
typedef struct {
    const uint8_t *headers;
    const uint8_t *payloads;
    const uint32_t *header_at;
    const uint32_t *payload_at;
    const int16_t *number_at;
    uint32_t count;
} tc_batch;

/* `count` packets of a batch, from `first` on, for one subscriber. `index`: ROC and number of the first. */
typedef struct {
    const tc_batch *batch;
    tc_cipher *cipher;
    tc_path *path;
    uint64_t index;
    uint32_t ssrc;
    uint32_t timestamp_move;
    uint16_t first;
    uint16_t count;
    uint16_t number;
    uint8_t payload_type;
    uint8_t reserved;
} tc_job;

typedef struct {
    uint64_t datagrams;
    uint64_t calls;
    uint64_t dropped_full;
    uint64_t send_errors;
    uint64_t fallbacks;
    uint64_t failed; /* not sealed: the cipher refused, or a packet that cannot be */
} tc_totals;

/* What one receive call brought of one peer. `segment`: the size of each datagram but the last; 0: there is one.
 * `arrival_ns`: Unix time by the kernel's stamp, 0 without. `overflowed`: what the kernel dropped since the socket
 * was opened, -1 where it does not say. `local`: the packet information it came with. */
typedef struct {
    uint32_t bytes;
    uint32_t segment;
    int64_t arrival_ns;
    int64_t overflowed;
    uint16_t address_bytes;
    uint16_t local_bytes;
    int32_t local_level;
    int32_t local_type;
    uint8_t address[ADDRESS_BYTES];
    uint8_t local[LOCAL_BYTES];
    uint32_t reserved;
} tc_received;

static tc_openssl ssl;
static uint8_t scratch[SCRATCH_BYTES];

int tc_version(void) { return 5; }

void tc_init(const tc_openssl *functions) { ssl = *functions; }

tc_cipher *tc_cipher_new(const uint8_t *key, int key_bytes, const uint8_t *salt, int encrypts)
{
    const void *kind = key_bytes == 32 ? ssl.aes_256_gcm() : key_bytes == 16 ? ssl.aes_128_gcm() : NULL;
    tc_cipher *cipher = kind ? calloc(1, sizeof *cipher) : NULL;
    if (!cipher)
        return NULL;
    cipher->encrypts = encrypts;
    memcpy(cipher->salt, salt, NONCE_BYTES);
    cipher->ctx = ssl.ctx_new();
    if (cipher->ctx && ssl.cipher_init(cipher->ctx, kind, NULL, key, NULL, encrypts) == 1)
        return cipher;
    if (cipher->ctx)
        ssl.ctx_free(cipher->ctx);
    free(cipher);
    return NULL;
}

void tc_cipher_free(tc_cipher *cipher)
{
    ssl.ctx_free(cipher->ctx); /* which wipes the key */
    memset(cipher, 0, sizeof *cipher);
    free(cipher);
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value);
}

/* RFC 7714 §8.1: 00 00 ‖ SSRC ‖ ROC ‖ SEQ, exclusive-or salt. */
static void make_nonce(uint8_t *nonce, const uint8_t *salt, uint32_t ssrc, uint64_t index)
{
    nonce[0] = nonce[1] = 0;
    put32(nonce + 2, ssrc);
    put16(nonce + 6, (uint32_t)(index >> 32));
    put32(nonce + 8, (uint32_t)index);
    for (int i = 0; i < NONCE_BYTES; i++)
        nonce[i] ^= salt[i];
}

static int apply_cipher(tc_cipher *cipher, const uint8_t *nonce, const uint8_t *header, int header_bytes, uint8_t *out,
                 const uint8_t *in, int in_bytes)
{
    int done = 0;
    return ssl.cipher_init(cipher->ctx, NULL, NULL, NULL, nonce, -1) == 1
        && ssl.cipher_update(cipher->ctx, NULL, &done, header, header_bytes) == 1
        && (in_bytes == 0 || ssl.cipher_update(cipher->ctx, out, &done, in, in_bytes) == 1);
}

/* Header, ciphertext and tag at `out`; the datagram's size, 0 when it could not be made. */
static uint32_t seal(const tc_job *job, uint32_t k, uint8_t *out)
{
    const tc_batch *batch = job->batch;
    uint32_t i = job->first + k;
    int header_bytes = (int)(batch->header_at[i + 1] - batch->header_at[i]);
    int payload_bytes = (int)(batch->payload_at[i + 1] - batch->payload_at[i]);
    const uint8_t *payload = batch->payloads + batch->payload_at[i];
    uint64_t index = job->index + k;
    uint8_t nonce[NONCE_BYTES];
    int done = 0;

    memcpy(out, batch->headers + batch->header_at[i], (size_t)header_bytes);
    out[1] = (uint8_t)((out[1] & 0x80) | job->payload_type);
    put16(out + 2, (uint32_t)index & 0xFFFF);
    put32(out + 4, get32(out + 4) + job->timestamp_move);
    put32(out + 8, job->ssrc);
    if (batch->number_at[i] >= 0)
        put16(out + batch->number_at[i], (job->number + k) & 0xFFFF);
    uint8_t *body = out + header_bytes;
    make_nonce(nonce, job->cipher->salt, job->ssrc, index);
    if (!apply_cipher(job->cipher, nonce, out, header_bytes, body, payload, payload_bytes)
        || ssl.cipher_final(job->cipher->ctx, body + payload_bytes, &done) != 1
        || ssl.ctx_ctrl(job->cipher->ctx, GCM_GET_TAG, TAG_BYTES, body + payload_bytes) != 1)
        return 0;
    return (uint32_t)(header_bytes + payload_bytes + TAG_BYTES);
}

static int send_once(int fd, tc_path *path, uint8_t *data, uint32_t bytes, uint32_t segment)
{
    union {
        struct cmsghdr align;
        uint8_t bytes[CONTROL_BYTES + CMSG_SPACE(sizeof(uint16_t))];
    } control;
    struct iovec vector = {data, bytes};
    struct msghdr message = {0};
    size_t control_bytes = path->control_bytes;

    message.msg_name = &path->address;
    message.msg_namelen = path->address_bytes;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    if (control_bytes)
        memcpy(control.bytes, path->control, control_bytes);
    if (segment) {
        struct cmsghdr *head = (struct cmsghdr *)(control.bytes + control_bytes);
        uint16_t value = (uint16_t)segment;
        head->cmsg_level = SOL_UDP;
        head->cmsg_type = UDP_SEGMENT;
        head->cmsg_len = CMSG_LEN(sizeof value);
        memcpy(CMSG_DATA(head), &value, sizeof value);
        control_bytes += CMSG_SPACE(sizeof value);
    }
    if (control_bytes) {
        message.msg_control = control.bytes;
        message.msg_controllen = control_bytes;
    }
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, 0);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? errno : 0;
}

static void count(tc_totals *totals, int error, uint32_t datagrams)
{
    if (error == 0) {
        totals->calls++;
        totals->datagrams += datagrams;
    } else if (error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS || error == ENOMEM) {
        totals->dropped_full += datagrams;
    } else {
        totals->send_errors += datagrams;
    }
}

/* `count` datagrams of `size` bytes, the last perhaps shorter, laid end to end. */
static void send_run(int fd, tc_path *path, uint8_t *data, uint32_t bytes, uint32_t size, uint32_t datagrams,
                     tc_totals *totals)
{
    int error = datagrams > 1 ? send_once(fd, path, data, bytes, size) : 0;
    if (datagrams > 1 && error != EINVAL && error != EMSGSIZE && error != EIO && error != EOPNOTSUPP) {
        count(totals, error, datagrams);
        return;
    }
    uint64_t before = totals->datagrams;
    for (uint32_t at = 0; at < bytes; at += size) {
        uint32_t part = bytes - at < size ? bytes - at : size;
        count(totals, send_once(fd, path, data + at, part, 0), 1);
    }
    if (datagrams > 1) {
        totals->fallbacks++;
        if (totals->datagrams > before)
            path->max_segment = size - 1;
    }
}

static void run_job(int fd, const tc_job *job, int can_segment, tc_totals *totals)
{
    const tc_batch *batch = job->batch;
    uint32_t used = 0, size = 0, datagrams = 0;
    int ended = 0; /* the run's last datagram is shorter: nothing may follow */

    if ((uint32_t)job->first + job->count > batch->count) {
        totals->failed += job->count;
        return;
    }
    for (uint32_t k = 0; k < job->count; k++) {
        uint32_t i = job->first + k;
        uint32_t bytes = batch->header_at[i + 1] - batch->header_at[i] + batch->payload_at[i + 1]
                         - batch->payload_at[i] + TAG_BYTES;
        if (bytes > MAX_RUN_BYTES || batch->header_at[i + 1] - batch->header_at[i] < FIXED_HEADER_BYTES) {
            totals->failed++;
            continue;
        }
        int fits = can_segment && datagrams && !ended && bytes <= size && size <= job->path->max_segment
                   && datagrams < MAX_SEGMENTS && used + bytes <= MAX_RUN_BYTES;
        if (datagrams && !fits) {
            send_run(fd, job->path, scratch, used, size, datagrams, totals);
            used = datagrams = 0;
        }
        if (seal(job, k, scratch + used) != bytes) {
            totals->failed++;
            continue;
        }
        if (!datagrams)
            size = bytes, ended = 0;
        else
            ended = bytes < size;
        used += bytes;
        datagrams++;
    }
    if (datagrams)
        send_run(fd, job->path, scratch, used, size, datagrams, totals);
}

/* Seal and send all jobs in order. Never blocks: what the socket has no room for is counted and dropped. */
void tc_run(int fd, const tc_job *jobs, uint32_t count_of_jobs, int can_segment, tc_totals *totals)
{
    memset(totals, 0, sizeof *totals);
    for (uint32_t i = 0; i < count_of_jobs; i++)
        run_job(fd, &jobs[i], can_segment, totals);
}

/* Open SRTP packets that came as one buffer, `segment` bytes each, the last perhaps shorter: those of one SSRC
 * whose numbers follow `index`, until one is not such a packet or not authentic.
 *
 * Plaintext packets (header and body without tag) are laid at `out` as the sealed ones are at `in`, so each begins
 * at a multiple of `segment`. `bodies` gets each header's size. How many were opened. */
uint32_t tc_open(tc_cipher *cipher, const uint8_t *in, uint32_t bytes, uint32_t segment, uint32_t ssrc,
                 uint64_t index, uint8_t *out, uint16_t *bodies)
{
    uint32_t opened = 0;
    uint8_t nonce[NONCE_BYTES], tag[TAG_BYTES];

    for (uint32_t at = 0; segment && at < bytes; at += segment, opened++) {
        const uint8_t *packet = in + at;
        uint32_t size = bytes - at < segment ? bytes - at : segment;
        if (size < FIXED_HEADER_BYTES + TAG_BYTES || packet[0] >> 6 != 2 || (packet[1] >= 192 && packet[1] <= 223))
            break;
        uint32_t header = FIXED_HEADER_BYTES + 4 * (packet[0] & 0x0F);
        if (packet[0] & 0x10) {
            if (size < header + 4)
                break;
            header += 4 + 4 * ((uint32_t)packet[header + 2] << 8 | packet[header + 3]);
        }
        uint64_t wanted = index + opened;
        if (size < header + TAG_BYTES || get32(packet + 8) != ssrc
            || ((uint32_t)packet[2] << 8 | packet[3]) != (wanted & 0xFFFF))
            break;
        int body = (int)(size - header - TAG_BYTES), done = 0;
        make_nonce(nonce, cipher->salt, ssrc, wanted);
        memcpy(tag, packet + size - TAG_BYTES, TAG_BYTES);
        memcpy(out + at, packet, header);
        if (!apply_cipher(cipher, nonce, packet, (int)header, out + at + header, packet + header, body)
            || ssl.ctx_ctrl(cipher->ctx, GCM_SET_TAG, TAG_BYTES, tag) != 1
            || ssl.cipher_final(cipher->ctx, out + at + size - TAG_BYTES, &done) != 1)
            break;
        bodies[opened] = (uint16_t)header;
    }
    return opened;
}

static void read_ancillary(struct msghdr *message, tc_received *out)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
        const uint8_t *data = CMSG_DATA(head);
        size_t bytes = head->cmsg_len - CMSG_LEN(0);
        int level = head->cmsg_level, type = head->cmsg_type;
        if (level == SOL_SOCKET && type == STAMP_NS && bytes >= 2 * sizeof(int64_t)) {
            int64_t stamp[2];
            memcpy(stamp, data, sizeof stamp);
            out->arrival_ns = stamp[0] * 1000000000 + stamp[1];
        } else if (level == SOL_SOCKET && type == OVERFLOWED && bytes >= sizeof(uint32_t)) {
            uint32_t dropped;
            memcpy(&dropped, data, sizeof dropped);
            out->overflowed = dropped;
        } else if (level == SOL_UDP && type == UDP_GRO && bytes >= sizeof(int32_t)) {
            int32_t segment;
            memcpy(&segment, data, sizeof segment);
            out->segment = segment > 0 ? (uint32_t)segment : 0;
        } else if (((level == IPPROTO_IP_LEVEL && type == IP_PKTINFO_TYPE)
                    || (level == IPPROTO_IPV6_LEVEL && type == IPV6_PKTINFO_TYPE))
                   && bytes <= LOCAL_BYTES) {
            memcpy(out->local, data, bytes);
            out->local_bytes = (uint16_t)bytes;
            out->local_level = level;
            out->local_type = type;
        }
    }
}

/* Read what waits, at most `most` times what one receive call gives, each into its own `slot_bytes` of `buffer`.
 * Never blocks. How many; minus errno when there was nothing, or an error of an earlier send to be reported. */
int tc_receive(int fd, uint8_t *buffer, uint32_t slot_bytes, tc_received *out, uint32_t most)
{
    struct mmsghdr messages[MAX_RECEIVED];
    struct iovec vectors[MAX_RECEIVED];
    union {
        struct cmsghdr align;
        uint8_t bytes[ANCILLARY_BYTES];
    } controls[MAX_RECEIVED];

    if (most > MAX_RECEIVED)
        most = MAX_RECEIVED;
    memset(messages, 0, most * sizeof *messages);
    for (uint32_t i = 0; i < most; i++) {
        struct msghdr *message = &messages[i].msg_hdr;
        vectors[i].iov_base = buffer + (size_t)i * slot_bytes;
        vectors[i].iov_len = slot_bytes;
        message->msg_name = out[i].address;
        message->msg_namelen = ADDRESS_BYTES;
        message->msg_iov = &vectors[i];
        message->msg_iovlen = 1;
        message->msg_control = controls[i].bytes;
        message->msg_controllen = ANCILLARY_BYTES;
    }
    int count = recvmmsg(fd, messages, most, MSG_DONTWAIT, NULL);
    if (count < 0)
        return -errno;
    for (int i = 0; i < count; i++) {
        struct msghdr *message = &messages[i].msg_hdr;
        tc_received *one = &out[i];
        one->bytes = messages[i].msg_len;
        one->segment = 0;
        one->arrival_ns = 0;
        one->overflowed = -1;
        one->local_bytes = 0;
        one->address_bytes =
            (uint16_t)(message->msg_namelen < ADDRESS_BYTES ? message->msg_namelen : ADDRESS_BYTES);
        read_ancillary(message, one);
    }
    return count;
}

#ifdef TC_MODULE
/* The functions of every frame once more, for Python to call without ctypes, whose conversions cost about as
 * much as a short one of them does. The same arguments: numbers, memory by its address or, where
 * it is only read, as bytes. */

#define MOST_ARGUMENTS 8

static int numbers(const char *name, PyObject *const *given, Py_ssize_t count, uint64_t *out, Py_ssize_t wanted)
{
    if (count != wanted) {
        PyErr_Format(PyExc_TypeError, "%s takes %zd arguments", name, wanted);
        return 0;
    }
    for (Py_ssize_t i = 0; i < wanted; i++) {
        out[i] = PyBytes_Check(given[i]) ? (uintptr_t)PyBytes_AsString(given[i])
                                         : PyLong_AsUnsignedLongLong(given[i]);
        if (out[i] == (uint64_t)-1 && PyErr_Occurred())
            return 0;
    }
    return 1;
}

#define AT(value) ((void *)(uintptr_t)(value))

static PyObject *py_run(PyObject *self, PyObject *const *given, Py_ssize_t count)
{
    uint64_t at[MOST_ARGUMENTS];
    (void)self;
    if (!numbers("run", given, count, at, 5))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    tc_run((int)at[0], AT(at[1]), (uint32_t)at[2], (int)at[3], AT(at[4]));
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *py_open(PyObject *self, PyObject *const *given, Py_ssize_t count)
{
    uint64_t at[MOST_ARGUMENTS];
    (void)self;
    if (!numbers("open", given, count, at, 8))
        return NULL;
    return PyLong_FromUnsignedLong(tc_open(AT(at[0]), AT(at[1]), (uint32_t)at[2], (uint32_t)at[3],
                                           (uint32_t)at[4], at[5], AT(at[6]), AT(at[7])));
}

static PyObject *py_receive(PyObject *self, PyObject *const *given, Py_ssize_t count)
{
    uint64_t at[MOST_ARGUMENTS];
    (void)self;
    if (!numbers("receive", given, count, at, 5))
        return NULL;
    return PyLong_FromLong(tc_receive((int)at[0], AT(at[1]), (uint32_t)at[2], AT(at[3]), (uint32_t)at[4]));
}

/* Total bytes of `list`'s `count` bytes objects; -1 with an error where it is not that. */
static Py_ssize_t total_bytes(PyObject *list, Py_ssize_t count)
{
    Py_ssize_t total = 0;

    if (!PyList_Check(list) || PyList_Size(list) != count) {
        PyErr_SetString(PyExc_TypeError, "lay_out takes lists of one length");
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        char *data;
        Py_ssize_t bytes;
        if (PyBytes_AsStringAndSize(PyList_GetItem(list, i), &data, &bytes) < 0)
            return -1;
        total += bytes;
    }
    return total;
}

/* The bytes objects end to end at `to`, and where each begins at `ends`. */
static void lay_end_to_end(PyObject *list, Py_ssize_t count, uint8_t *to, uint32_t *ends)
{
    uint32_t end = 0;

    for (Py_ssize_t i = 0; i < count; i++) {
        char *data = NULL;
        Py_ssize_t bytes = 0;
        PyBytes_AsStringAndSize(PyList_GetItem(list, i), &data, &bytes);
        memcpy(to + end, data, (size_t)bytes);
        ends[i] = end;
        end += (uint32_t)bytes;
    }
    ends[count] = end;
}

/* (headers, payloads, places of the numbers or None) -> (memory, address of the tc_batch in it): what `layout.py`
 * does, within one call. */
static PyObject *py_lay_out(PyObject *self, PyObject *const *given, Py_ssize_t arguments)
{
    (void)self;
    if (arguments != 3 || !PyList_Check(given[0])) {
        PyErr_SetString(PyExc_TypeError, "lay_out takes headers, payloads and places");
        return NULL;
    }
    Py_ssize_t count = PyList_Size(given[0]);
    Py_ssize_t header_bytes = total_bytes(given[0], count);
    Py_ssize_t payload_bytes = header_bytes < 0 ? -1 : total_bytes(given[1], count);
    if (payload_bytes < 0)
        return NULL;
    if (given[2] != Py_None && (!PyList_Check(given[2]) || PyList_Size(given[2]) != count)) {
        PyErr_SetString(PyExc_TypeError, "lay_out takes lists of one length");
        return NULL;
    }
    if (header_bytes > INT32_MAX || payload_bytes > INT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "too much for one batch");
        return NULL;
    }
    size_t half_bytes = ((size_t)count + 1) * sizeof(uint32_t);
    size_t places_bytes = (size_t)count * sizeof(int16_t);
    PyObject *memory = PyByteArray_FromStringAndSize(
        NULL, (Py_ssize_t)(sizeof(tc_batch) + 2 * half_bytes + places_bytes) + header_bytes + payload_bytes);
    if (!memory)
        return NULL;
    uint8_t *at = (uint8_t *)PyByteArray_AsString(memory);
    tc_batch *batch = (tc_batch *)at;
    uint32_t *ends = (uint32_t *)(at + sizeof *batch);
    int16_t *places = (int16_t *)(at + sizeof *batch + 2 * half_bytes);
    uint8_t *headers = (uint8_t *)places + places_bytes;

    for (Py_ssize_t i = 0; i < count; i++) {
        long place = given[2] == Py_None ? -1 : PyLong_AsLong(PyList_GetItem(given[2], i));
        if (place == -1 && PyErr_Occurred()) {
            Py_DecRef(memory);
            return NULL;
        }
        places[i] = place < 0 || place > INT16_MAX ? -1 : (int16_t)place;
    }
    lay_end_to_end(given[0], count, headers, ends);
    lay_end_to_end(given[1], count, headers + header_bytes, ends + count + 1);
    batch->headers = headers;
    batch->payloads = headers + header_bytes;
    batch->header_at = ends;
    batch->payload_at = ends + count + 1;
    batch->number_at = places;
    batch->count = (uint32_t)count;
    return Py_BuildValue("(NK)", memory, (unsigned long long)(uintptr_t)batch);
}

static PyMethodDef methods[] = {
    {"lay_out", (PyCFunction)(void (*)(void))py_lay_out, METH_FASTCALL, "tc_batch of lists"},
    {"run", (PyCFunction)(void (*)(void))py_run, METH_FASTCALL, "tc_run"},
    {"open", (PyCFunction)(void (*)(void))py_open, METH_FASTCALL, "tc_open"},
    {"receive", (PyCFunction)(void (*)(void))py_receive, METH_FASTCALL, "tc_receive"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_engine", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__engine(void) { return PyModule_Create(&module); }
#endif
