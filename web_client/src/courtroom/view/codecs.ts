import type { Timeline } from "../../replay/player/timeline";

/** A plain case of each codec an archive may hold: a browser that refuses it has no decoder for it. */
const PLAIN: Record<string, string> = {
  H264: 'video/mp4; codecs="avc1.42e01f"',
  VP8: 'video/webm; codecs="vp8"',
  VP9: 'video/mp4; codecs="vp09.00.10.08"',
  AV1: 'video/mp4; codecs="av01.0.04M.08"',
  opus: 'audio/mp4; codecs="opus"',
};

type Supports = (mime: string) => boolean;

/** Names of the codecs in this archive that this browser does not play. */
export function unplayable(
  { tracks }: Pick<Timeline, "tracks">,
  supports: Supports = (mime) => typeof MediaSource !== "undefined" && MediaSource.isTypeSupported(mime),
): string[] {
  const used = new Set(tracks.flatMap(({ generations }) => generations.map(({ codec }) => codec)));
  return Array.from(used).filter((codec) => !supports(PLAIN[codec] ?? ""));
}
