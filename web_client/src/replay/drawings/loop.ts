import { Painter, type View, type Words } from "../../annotation/paint";
import { WHOLE } from "../../ui/room/zoom";
import type { Drawn } from "./archived";

const MOST_DENSITY = 3;

/** Where the replay of one picture is, µs on the timeline. */
export interface Moment {
  atUs: number;
  shownUs: number;
  /** Of what is known of the drawings. */
  version: number;
  drawn: () => Drawn;
}

export interface DrawnParts {
  now: () => Moment;
  epochUs: number;
  words: Words;
}

/** Paints what was drawn whenever another frame is shown, or it is another moment. Returns how to stop. */
export function runDrawn(canvas: HTMLCanvasElement, parts: DrawnParts): () => void {
  const context = canvas.getContext("2d");
  if (context === null) return () => undefined;
  const painter = new Painter();
  let [request, painted, blank] = [0, "", true];
  const look = () => {
    request = requestAnimationFrame(look);
    const [moment, view] = [parts.now(), viewOf(canvas)];
    const { atUs, shownUs, version } = moment;
    const { box, picture } = view.frame;
    const key = [atUs, shownUs, version, box.width, box.height, picture.width, view.density].join();
    if (key === painted) return;
    painted = key;
    const { seen, pointers } = moment.drawn();
    if (blank && seen.length === 0 && pointers.length === 0) return;
    blank = seen.length === 0 && pointers.length === 0;
    resize(canvas, view);
    painter.draw(context, view, {
      seen,
      pointers,
      nowUs: parts.epochUs + atUs,
      words: parts.words,
      held: null,
    });
    const visible = seen.filter(({ opacity }) => opacity > 0);
    canvas.dataset["marks"] = visible.map(({ mark }) => mark.mark_id).join(" ");
    canvas.dataset["pointers"] = String(pointers.length);
  };
  look();
  return () => {
    cancelAnimationFrame(request);
  };
}

function viewOf(canvas: HTMLCanvasElement): View {
  const screen = canvas.closest(".replay-screen");
  const video = screen?.querySelector("video");
  const still = screen?.querySelector<HTMLCanvasElement>(".replay-still > canvas");
  const [width, height] = [video?.videoWidth ?? still?.width ?? 0, video?.videoHeight ?? still?.height ?? 0];
  const picture = width > 0 ? { width, height } : { width: 16, height: 9 };
  const box = { width: canvas.clientWidth, height: canvas.clientHeight };
  return { zoom: WHOLE, frame: { box, picture }, density: Math.min(devicePixelRatio, MOST_DENSITY) };
}

function resize(canvas: HTMLCanvasElement, { frame: { box }, density }: View): void {
  const [width, height] = [Math.round(box.width * density), Math.round(box.height * density)];
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}
