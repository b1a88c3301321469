import type { Mark } from "../protocol/messages";

/** Fewer are painted as quickly as a whole canvas is copied. */
const FEWEST = 12;
/** A mark that was not changed for so long is believed to stay as it is. */
const RESTS_AFTER_US = 400_000;

export function isResting(mark: Mark, nowUs: number): boolean {
  return mark.anchor === "screen" && mark.fade_after_ms === null && nowUs - mark.changed_us > RESTS_AFTER_US;
}

/** Marks that rest are painted once, on a canvas of their own that is copied from then on. */
export class RestingLayer {
  private context: CanvasRenderingContext2D | null = null;
  private painted: readonly Mark[] = [];
  private look = "";

  /**
   * Put the marks on `target`, under everything else. `look`: whatever else they look like depends on; `begin`
   * prepares a canvas, `paint` paints one mark on it. False: they are few, and to be painted like all others.
   */
  show(
    target: CanvasRenderingContext2D,
    marks: readonly Mark[],
    look: string,
    begin: (context: CanvasRenderingContext2D) => void,
    paint: (context: CanvasRenderingContext2D, mark: Mark) => void,
  ): boolean {
    if (marks.length < FEWEST) {
      this.context = null;
      return false;
    }
    const { canvas } = target;
    const context = this.fitting(canvas);
    if (context === null) return false;
    const goesOn = this.look === look && this.painted.every((mark, at) => mark === marks[at]);
    if (!goesOn) {
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, canvas.width, canvas.height);
    }
    begin(context);
    for (const mark of marks.slice(goesOn ? this.painted.length : 0)) paint(context, mark);
    [this.painted, this.look] = [marks, look];
    target.drawImage(context.canvas, 0, 0);
    return true;
  }

  private fitting({ width, height, ownerDocument }: HTMLCanvasElement): CanvasRenderingContext2D | null {
    const known = this.context?.canvas;
    if (known?.width === width && known.height === height) return this.context;
    const canvas = ownerDocument.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    [this.painted, this.look] = [[], ""];
    return (this.context = canvas.getContext("2d"));
  }
}
