// @vitest-environment happy-dom
import { expect, test, vi } from "vitest";
import type { Mark } from "../protocol/messages";
import { isResting, RestingLayer } from "./restingLayer";

const S_US = 1_000_000;
const mark = (change: Partial<Mark> = {}) =>
  ({ mark_id: "m", anchor: "screen", fade_after_ms: null, changed_us: 0, ...change }) as Mark;
const many = (count: number) => Array.from({ length: count }, (_, at) => mark({ mark_id: `m${at}` }));

function layer() {
  const context = {
    setTransform: vi.fn(),
    clearRect: vi.fn(),
    drawImage: vi.fn(),
  };
  const canvasOf = (): HTMLCanvasElement =>
    ({ width: 0, height: 0, getContext: () => ({ ...context, canvas: canvasOf() }) }) as never;
  const target = {
    canvas: { width: 0, height: 0, ownerDocument: { createElement: canvasOf } },
    drawImage: vi.fn(),
  };
  const painted: string[] = [];
  const resting = new RestingLayer();
  const show = (marks: readonly Mark[], look = "large") => {
    painted.length = 0;
    const shown = resting.show(
      target as never,
      marks,
      look,
      () => undefined,
      (_, { mark_id: id }) => painted.push(id),
    );
    return [shown, painted.length] as const;
  };
  return { show, painted, context };
}

test("a mark rests when nothing about it changes by itself, and nobody changed it of late", () => {
  expect(isResting(mark(), S_US)).toBe(true);
  expect(isResting(mark({ changed_us: 0.9 * S_US }), S_US)).toBe(false);
  expect(isResting(mark({ anchor: "tissue" }), S_US)).toBe(false);
  expect(isResting(mark({ fade_after_ms: 8_000 }), S_US)).toBe(false);
});

test("what rests is painted once, and what comes to rest is added", () => {
  const { show, painted } = layer();
  const marks = many(200);
  expect(show(marks)).toEqual([true, 200]);
  expect(show([...marks])).toEqual([true, 0]);
  expect(show([...marks, mark({ mark_id: "new" })])).toEqual([true, 1]);
  expect(painted).toEqual(["new"]);
});

test("everything is painted anew when one of them went or the picture is shown otherwise", () => {
  const { show, context } = layer();
  const marks = many(200);
  show(marks);
  expect(show(marks.slice(1))).toEqual([true, 199]);
  expect(show(marks.slice(1), "small")).toEqual([true, 199]);
  expect(context.clearRect).toHaveBeenCalledTimes(3);
});

test("a few are not worth a canvas of their own", () => {
  const { show } = layer();
  expect(show(many(3))).toEqual([false, 0]);
});
