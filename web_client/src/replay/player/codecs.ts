import type { GenerationEntry } from "../format/entries";

/** What Media Source Extensions call a generation's codec (RFC 6381), read from its init piece. */

type Bytes = Uint8Array;

const hex = (value: number) => value.toString(16).padStart(2, "0");
const two = (value: number) => String(value).padStart(2, "0");

/** Null when the init piece does not hold what its entry says. */
export function mimeOf(generation: GenerationEntry, init: Bytes): string | null {
  if (generation.codec === "VP8") return 'video/webm; codecs="vp8"';
  const kind = generation.media === "audio" ? "audio/mp4" : "video/mp4";
  const codecs = CODECS[generation.codec](init);
  return codecs === null ? null : `${kind}; codecs="${codecs}"`;
}

const CODECS: Record<Exclude<GenerationEntry["codec"], "VP8">, (init: Bytes) => string | null> = {
  opus: () => "opus",
  H264: (init) => {
    const box = bodyOf(init, "avcC");
    const [, profile, flags, level] = box ?? [];
    if (profile === undefined || flags === undefined || level === undefined) return null;
    return `avc1.${hex(profile)}${hex(flags)}${hex(level)}`;
  },
  VP9: (init) => {
    const box = bodyOf(init, "vpcC"); // a full box: version and flags come first
    const [, , , , profile, level, depth] = box ?? [];
    if (profile === undefined || level === undefined || depth === undefined) return null;
    return `vp09.${two(profile)}.${two(level)}.${two(depth >> 4)}`;
  },
  AV1: (init) => {
    const box = bodyOf(init, "av1C");
    const [, first, second] = box ?? [];
    if (first === undefined || second === undefined) return null;
    const depth = (second & 0x40) === 0 ? 8 : (second & 0x20) === 0 ? 10 : 12;
    return `av01.${first >> 5}.${two(first & 0x1f)}${second & 0x80 ? "H" : "M"}.${two(depth)}`;
  },
};

/** What is in the first box of that type, however deep: `avcC` and its like lie in the sample description. */
function bodyOf(data: Bytes, type: string): Bytes | null {
  const wanted = Array.from(type, (char) => char.charCodeAt(0));
  for (let at = 4; at + 4 <= data.length; at += 1) {
    if (!wanted.every((byte, index) => data[at + index] === byte)) continue;
    const size = new DataView(data.buffer, data.byteOffset + at - 4, 4).getUint32(0);
    if (size >= 8 && at - 4 + size <= data.length) return data.subarray(at + 4, at - 4 + size);
  }
  return null;
}
