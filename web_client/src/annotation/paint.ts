import type { Mark } from "../protocol/messages";
import { placed, type Frame, type Zoom } from "../ui/room/zoom";
import type { RemotePointer } from "./feedDrawings";
import { arrowLines, rulerMm, rulerTicks, spots, type Spot } from "./geometry";
import { inkOf } from "./ink";
import { isResting, RestingLayer } from "./restingLayer";
import { colourOf } from "./toolbox";
import type { Seen } from "./visible";

/** Under every line, so that it is seen on any picture. */
const HALO = "rgb(0 0 0 / 0.55)";
const HALO_SHARE = 0.7;
/** Of letters, in heights of the picture, for a ruler of the usual width. */
const LETTERS = 0.032;

export interface View {
  zoom: Zoom;
  frame: Frame;
  /** Device pixels per CSS px. */
  density: number;
}

/** In the reader's language. */
export interface Words {
  /** How a length is written. */
  length: (mm: number | null) => string;
  /** Beside a mark of which nobody is sure where it is. */
  unsure: () => string;
}

export interface Scene {
  seen: readonly Seen[];
  pointers: readonly RemotePointer[];
  nowUs: number;
  words: Words;
  /** A frame that is shown instead of the one under the canvas. */
  held: CanvasImageSource | null;
}

/** What was made of a mark, for as long as it is that mark and the picture has that shape. */
interface Made {
  aspect: number;
  path: Path2D;
}

/** Draws marks and pointers on a canvas over a picture. Shapes are kept while their marks do not change. */
export class Painter {
  private made = new WeakMap<Mark, Made>();
  private readonly resting = new RestingLayer();

  /** True while something fades or points, so that the next frame looks different by itself. */
  draw(context: CanvasRenderingContext2D, view: View, scene: Scene): boolean {
    const { canvas } = context;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    const { x, y, width, height } = placed(view.zoom, view.frame);
    if (height <= 0) return false;
    const [scale, aspect] = [height * view.density, width / height];
    const place = [scale, 0, 0, scale, x * view.density, y * view.density] as const;
    const begin = (on: CanvasRenderingContext2D) => {
      on.setTransform(...place);
      on.lineCap = on.lineJoin = "round";
    };
    begin(context);
    if (scene.held !== null) context.drawImage(scene.held, 0, 0, aspect, 1);
    const rests = this.rest(context, scene, `${place.join()} ${aspect}`, aspect, begin);
    begin(context);
    for (const seen of scene.seen) if (!rests.has(seen.mark)) this.seen(context, seen, aspect, scene.words);
    for (const pointer of scene.pointers) drawPointer(context, pointer, aspect);
    const moves = ({ mark, doubt }: Seen) => mark.fade_after_ms !== null || doubt === "unsure";
    return scene.pointers.length > 0 || scene.seen.some(moves);
  }

  /** Those that are painted by this: below all others, whenever they were drawn. */
  private rest(
    context: CanvasRenderingContext2D,
    { seen, nowUs, words }: Scene,
    place: string,
    aspect: number,
    begin: (on: CanvasRenderingContext2D) => void,
  ): ReadonlySet<Mark> {
    const marks = seen.flatMap(({ mark }) => (isResting(mark, nowUs) ? [mark] : []));
    const paint = (on: CanvasRenderingContext2D, mark: Mark) => {
      this.mark(on, mark, aspect, words);
    };
    context.setTransform(1, 0, 0, 1, 0, 0);
    const shown = this.resting.show(context, marks, `${place} ${words.length(null)}`, begin, paint);
    return new Set(shown ? marks : []);
  }

  private seen(
    context: CanvasRenderingContext2D,
    { mark, opacity, motion, doubt }: Seen,
    aspect: number,
    words: Words,
  ): void {
    if (opacity === 0) return;
    context.save();
    context.globalAlpha = opacity;
    if (motion !== null) context.transform(...inHeights(motion, aspect));
    this.mark(context, mark, aspect, words);
    const [at] = spots(mark.points, aspect);
    if (doubt === "unsure" && at) write(context, words.unsure(), at, LETTERS, mark.colour);
    context.restore();
  }

  private mark(context: CanvasRenderingContext2D, mark: Mark, aspect: number, words: Words): void {
    const path = this.pathOf(mark, aspect);
    if (mark.tool === "pen") fill(context, path, mark);
    else if (mark.tool !== "text") stroke(context, path, mark);
    if (mark.tool === "text") {
      const [at] = spots(mark.points, aspect);
      if (at) write(context, mark.text, at, mark.width, mark.colour);
    }
    if (mark.tool === "ruler") {
      const [from, to] = spots(mark.points, aspect);
      const right = from && to && from.x > to.x ? from : to;
      if (right) {
        const at = { x: right.x + 0.015, y: right.y };
        write(context, words.length(rulerMm(mark)), at, LETTERS, mark.colour);
      }
    }
  }

  private pathOf(mark: Mark, aspect: number): Path2D {
    const known = this.made.get(mark);
    if (known?.aspect === aspect) return known.path;
    const path = shape(mark, aspect);
    this.made.set(mark, { aspect, path });
    return path;
  }
}

/** A motion in normalised coordinates → the same in heights of the picture, as canvases take it. */
function inHeights(
  motion: readonly number[],
  aspect: number,
): [number, number, number, number, number, number] {
  const [a = 1, b = 0, c = 0, d = 1, e = 0, f = 0] = motion;
  return [a, b / aspect, c * aspect, d, e * aspect, f];
}

function shape(mark: Mark, aspect: number): Path2D {
  const path = new Path2D();
  const places = spots(mark.points, aspect);
  const [from, to] = places;
  if (mark.tool === "pen") outline(path, mark, places);
  else if (from !== undefined && to !== undefined) {
    if (mark.tool === "arrow") lines(path, arrowLines(from, to, mark.width));
    else if (mark.tool === "ruler") lines(path, [[from, to], ...rulerTicks(from, to, mark.width)]);
    else if (mark.tool === "rectangle") path.rect(from.x, from.y, to.x - from.x, to.y - from.y);
    else if (mark.tool === "ellipse") ellipse(path, from, to);
  }
  return path;
}

function outline(path: Path2D, mark: Mark, places: readonly Spot[]): void {
  for (const { x, y } of inkOf(mark, places)) path.lineTo(x, y);
  path.closePath();
}

function lines(path: Path2D, all: readonly [Spot, Spot][]): void {
  for (const [from, to] of all) {
    path.moveTo(from.x, from.y);
    path.lineTo(to.x, to.y);
  }
}

function ellipse(path: Path2D, from: Spot, to: Spot): void {
  const [x, y] = [(from.x + to.x) / 2, (from.y + to.y) / 2];
  path.ellipse(x, y, Math.abs(to.x - from.x) / 2, Math.abs(to.y - from.y) / 2, 0, 0, 2 * Math.PI);
}

function fill(context: CanvasRenderingContext2D, path: Path2D, { colour, width }: Mark): void {
  context.strokeStyle = HALO;
  context.lineWidth = width * HALO_SHARE;
  context.stroke(path);
  context.fillStyle = colour;
  context.fill(path);
}

function stroke(context: CanvasRenderingContext2D, path: Path2D, { colour, width }: Mark): void {
  context.strokeStyle = HALO;
  context.lineWidth = width * (1 + HALO_SHARE);
  context.stroke(path);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke(path);
}

/** Letters are drawn large and made smaller: canvases round the size of small ones. */
function write(
  context: CanvasRenderingContext2D,
  words: string,
  at: Spot,
  height: number,
  colour: string,
): void {
  const size = 100;
  context.save();
  context.translate(at.x, at.y);
  context.scale(height / size, height / size);
  context.font = `600 ${size}px system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif`;
  context.textBaseline = "middle";
  context.strokeStyle = HALO;
  context.lineWidth = size / 4;
  context.fillStyle = colour;
  words.split("\n").forEach((line, row) => {
    context.strokeText(line, 0, row * size * 1.2);
    context.fillText(line, 0, row * size * 1.2);
  });
  context.restore();
}

function drawPointer(context: CanvasRenderingContext2D, pointer: RemotePointer, aspect: number): void {
  const colour = colourOf(pointer.person);
  const at = { x: pointer.x * aspect, y: pointer.y };
  const dot = new Path2D();
  dot.arc(at.x, at.y, 0.011, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.strokeStyle = HALO;
  context.lineWidth = 0.006;
  context.stroke(dot);
  context.fill(dot);
  write(context, pointer.name, { x: at.x + 0.022, y: at.y }, 0.028, colour);
}
