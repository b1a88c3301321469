import { expect, test } from "vitest";
import { Gesture, SAY_EVERY_MS, type DragTool } from "./gesture";
import type { Operation } from "./operations";
import { FADE_AFTER_MS } from "./toolbox";

function drawing(tool: DragTool, pressure: number | null = null, fades = false) {
  const said: Operation[] = [];
  let ids = 0;
  const gesture = new Gesture(
    {
      drawings: { do: (operation) => said.push(operation) > 0 },
      tools: { tool, fades, anchor: "screen", colour: "#ffd60a", width: 0.006 },
      tool,
      capturedUs: 12.4,
      scale: { mm_per_height: 100, aspect: 1.5 },
      newId: () => `i${(ids += 1)}`,
    },
    { x: 0.1, y: 0.1, pressure },
  );
  const to = (x: number, y: number, atMs: number, p: number | null = pressure) => {
    gesture.move([{ x, y, pressure: p }], atMs);
  };
  return { gesture, said, to };
}

test("a stroke is said while it is drawn, no more than thirty times a second, and nothing of it is lost", () => {
  const { gesture, said, to } = drawing("pen");
  for (let ms = 0; ms < 1_000; ms += 4) to(0.1 + ms / 2_000, 0.2, ms);
  gesture.end();
  expect(said.length).toBeGreaterThan(25);
  expect(said.length).toBeLessThanOrEqual(1_000 / SAY_EVERY_MS + 2);
  let points = 0;
  for (const one of said) {
    if (one.op === "add") points += one.mark.points.length / 2;
    if (one.op === "extend") {
      expect(one.start).toBe(points);
      points += one.points.length / 2;
    }
  }
  expect(points).toBe(251);
  expect(new Set(said.map((one) => ("step" in one ? one.step : null))).size).toBe(1);
});

test("what was drawn just now is said by the next frame, though the pen rests", () => {
  const { gesture, said, to } = drawing("pen");
  to(0.2, 0.2, 0);
  to(0.3, 0.3, 5);
  expect(said).toHaveLength(1);
  gesture.flush(20);
  expect(said).toHaveLength(1);
  gesture.flush(40);
  expect(said).toHaveLength(2);
  gesture.flush(80);
  expect(said).toHaveLength(2);
});

test("a stylus's pressure goes with every point, a mouse's with none", () => {
  const stylus = drawing("pen", 0.4);
  stylus.to(0.2, 0.2, 0, 0.8);
  stylus.to(0.3, 0.3, 40, null);
  expect(stylus.said).toMatchObject([
    { op: "add", mark: { pressures: [0.4, 0.8] } },
    { op: "extend", pressures: [0.4] },
  ]);
  const mouse = drawing("pen");
  mouse.to(0.2, 0.2, 0);
  expect(mouse.said).toMatchObject([{ mark: { pressures: [] } }]);
});

test("a stroke too long for one mark goes on in another, and one undo takes both", () => {
  const { gesture, said, to } = drawing("pen");
  for (let at = 1; at <= 2_500; at += 1) to((at % 900) / 1_000, (at % 70) / 100, at);
  gesture.end();
  const adds = said.flatMap((one) => (one.op === "add" ? [one] : []));
  expect(adds).toHaveLength(2);
  expect(adds[0]?.step).toBe(adds[1]?.step);
  expect(adds[1]?.mark.points.length).toBeGreaterThan(2);
});

test.each(["arrow", "ellipse", "rectangle", "ruler"] as const)("a %s is dragged by its end", (tool) => {
  const { gesture, said, to } = drawing(tool);
  to(0.2, 0.3, 0);
  to(0.4, 0.5, 50);
  expect(gesture.end()).toBe("i2");
  expect(said).toMatchObject([
    { op: "add", mark: { tool, points: [0.1, 0.1, 0.2, 0.3], captured_us: 12 } },
    { op: "update", mark_id: "i2", points: [0.1, 0.1, 0.4, 0.5] },
  ]);
  expect(said[0]).toMatchObject({ mark: { scale: tool === "ruler" ? { mm_per_height: 100 } : null } });
});

test("a slip of the hand draws no shape", () => {
  const { gesture, said, to } = drawing("arrow");
  to(0.101, 0.1, 0);
  expect(gesture.end()).toBeNull();
  expect(said).toEqual([]);
});

test("another finger takes the stroke back", () => {
  const { gesture, said, to } = drawing("pen");
  to(0.2, 0.2, 0);
  gesture.cancel();
  expect(said.at(-1)).toMatchObject({ op: "remove", mark_id: "i2" });
});

test("what shall fade says so", () => {
  const { said, to } = drawing("pen", null, true);
  to(0.2, 0.2, 0);
  expect(said[0]).toMatchObject({ mark: { fade_after_ms: FADE_AFTER_MS } });
});
