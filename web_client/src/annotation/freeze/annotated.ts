import type { Mark, Still } from "../../protocol/messages";
import { WHOLE } from "../../ui/room/zoom";
import { Painter, type Words } from "../paint";
import { seenMarks } from "../visible";

/** Marks that belong to this very still. Pure. */
export const onStill = (marks: readonly Mark[]): readonly Mark[] =>
  marks.filter(({ anchor }) => anchor === "frame");

/** The picture at its full size with its drawings in it, as PNG. Null when the browser cannot make one. */
export function annotated(
  picture: HTMLImageElement,
  still: Still,
  marks: readonly Mark[],
  nowUs: number,
  words: Words,
): Promise<Blob | null> {
  const canvas = document.createElement("canvas");
  const size = { width: picture.naturalWidth, height: picture.naturalHeight };
  Object.assign(canvas, size);
  const context = canvas.getContext("2d");
  if (context === null) return Promise.resolve(null);
  const seen = seenMarks(onStill(marks), { shownUs: still.captured_us, nowUs });
  const view = { zoom: WHOLE, frame: { box: size, picture: size }, density: 1 };
  new Painter().draw(context, view, { seen, pointers: [], nowUs, words, held: picture });
  return new Promise((resolve) => {
    canvas.toBlob(resolve, "image/png");
  });
}

/** Without a word about the patient: which feed, and when. Pure. */
export function stillName({ feed, captured_us }: Pick<Still, "feed" | "captured_us">): string {
  const time = new Date(captured_us / 1000).toISOString().replace(/[:.]/g, "-");
  return `${feed}-${time}.png`;
}
