import { expect, test } from "vitest";
import { Audibility, type AudibleFacts, type Unheard } from "./audibility";

const HEARD: AudibleFacts = {
  on: true,
  peak: 0.05,
  systemMuted: false,
  sending: "connected",
  track: { live: true, paused: false },
  others: 2,
};

/** When, in seconds, which cause is told; null: never within a minute. */
function told(facts: Partial<AudibleFacts>): [number, Unheard] | null {
  const audibility = new Audibility();
  for (let second = 0; second < 60; second += 1) {
    const cause = audibility.update({ ...HEARD, ...facts }, 5_000 + second * 1_000);
    if (cause !== null) return [second, cause];
  }
  return null;
}

test("somebody who is heard is told nothing", () => {
  expect(told({})).toBeNull();
});

test("somebody whose microphone is off does not expect to be heard", () => {
  expect(told({ on: false, peak: 0, sending: "failed", track: null, others: 0 })).toBeNull();
});

test.each<[string, Partial<AudibleFacts>, [number, Unheard]]>([
  ["a dead microphone after eight seconds", { peak: 0 }, [8, "silent"]],
  ["a microphone the system muted", { systemMuted: true, peak: 0 }, [1, "system-muted"]],
  ["a connection that does not come up", { sending: "connecting", track: null }, [3, "not-connected"]],
  ["a connection that was never made", { sending: null, track: null }, [3, "not-connected"]],
  ["sound that does not reach the server", { track: { live: false, paused: false } }, [4, "not-arriving"]],
  ["an empty room", { others: 0 }, [2, "alone"]],
  ["the site's pause, at once", { track: { live: true, paused: true }, peak: 0 }, [0, "paused"]],
])("%s", (_, facts, expected) => {
  expect(told(facts)).toEqual(expected);
});

test("a quiet room is no dead microphone", () => {
  expect(told({ peak: 0.0002 })).toBeNull();
});

test("a single sound says that the microphone works", () => {
  const audibility = new Audibility();
  for (let second = 0; second < 60; second += 1) {
    const peak = second % 7 === 0 ? 0.01 : 0;
    expect(audibility.update({ ...HEARD, peak }, second * 1_000)).toBeNull();
  }
});

test("an unknown level is not taken for silence", () => {
  expect(told({ peak: null })).toBeNull();
});

test("the warning ends when its cause does", () => {
  const audibility = new Audibility();
  audibility.update({ ...HEARD, others: 0 }, 0);
  expect(audibility.update({ ...HEARD, others: 0 }, 2_000)).toBe("alone");
  expect(audibility.update(HEARD, 2_100)).toBeNull();
});
