// @vitest-environment happy-dom
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { FeedReading, Readings } from "../../media/monitor";
import { Store } from "../../room/store";
import { calmReader, readsAlike, useFeedStatus, useReading, useSpeaking } from "./useReadings";

const READING: FeedReading = {
  status: "live",
  ageMs: 83,
  framesPerSecond: 30,
  width: 1920,
  height: 1080,
  judgement: "good",
  lossPercent: 0,
  lowered: null,
  stoppedForS: null,
};
const reading = (over: Partial<FeedReading> = {}): FeedReading => ({ ...READING, ...over });

let readings: Store<Readings>;
let root: Root;
const speaking: ReadonlySet<string> = new Set<string>();

beforeEach(() => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  readings = new Store<Readings>({ feeds: new Map([["u", reading()]]), speaking });
  document.body.innerHTML = '<div id="root"></div>';
  root = createRoot(document.getElementById("root") ?? document.body);
});
afterEach(() => {
  act(() => {
    root.unmount();
  });
});

test.each<[boolean, Partial<FeedReading>]>([
  [true, { ageMs: 92 }],
  [true, { framesPerSecond: 29 }],
  [false, { ageMs: 94 }],
  [false, { ageMs: null }],
  [false, { framesPerSecond: 27 }],
  [false, { status: "stalled" }],
  [false, { judgement: "fair" }],
  [false, { lossPercent: 2 }],
  [false, { lowered: "network" }],
  [false, { stoppedForS: 1 }],
  [false, { width: 640 }],
])("%s: the words may stay when it becomes %j", (expected, over) => {
  expect(readsAlike(reading(), reading(over))).toBe(expected);
});

test("small steps add up: a delay that creeps is told in time", () => {
  const read = calmReader({ readings }, "u");
  expect(read()?.ageMs).toBe(83);
  for (const ageMs of [88, 93]) {
    readings.set({ feeds: new Map([["u", reading({ ageMs })]]), speaking });
    expect(read()?.ageMs).toBe(83);
  }
  readings.set({ feeds: new Map([["u", reading({ ageMs: 98 })]]), speaking });
  expect(read()?.ageMs).toBe(98);
});

test("a new reading draws anew only what shows it: not the status, not who speaks", () => {
  const drawn = { age: 0, status: 0, speaking: 0 };
  const monitor = { readings };
  const Age = () => {
    drawn.age += 1;
    return <i>{useReading(monitor, "u")?.ageMs}</i>;
  };
  const Status = () => {
    drawn.status += 1;
    return <i>{useFeedStatus(monitor, "u")}</i>;
  };
  const Speaking = () => {
    drawn.speaking += 1;
    return <i>{useSpeaking(monitor).size}</i>;
  };
  act(() => {
    root.render(
      <>
        <Age />
        <Status />
        <Speaking />
      </>,
    );
  });
  for (let n = 1; n <= 20; n += 1) {
    act(() => {
      readings.set({ feeds: new Map([["u", reading({ ageMs: 83 + 20 * n })]]), speaking });
    });
  }
  expect(drawn).toEqual({ age: 21, status: 1, speaking: 1 });
  expect(document.body.textContent).toBe("483live0");
});
