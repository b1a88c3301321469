import { expect, test } from "vitest";
import { feedStatus, STALE_AFTER_MS, type FeedFacts, type FeedStatus } from "./feedStatus";

const NOW = 100_000;
const FRESH = NOW - 30;
const OLD = NOW - STALE_AFTER_MS - 1;
const facts = (over: Partial<FeedFacts>): FeedFacts => ({
  liveAtServer: true,
  connected: true,
  unsupported: false,
  lastFrameMs: FRESH,
  ...over,
});

test.each<[FeedStatus, Partial<FeedFacts>]>([
  ["live", {}],
  // Frames are what counts, not what anyone says about them.
  ["live", { liveAtServer: false, connected: false }],
  ["waiting", { lastFrameMs: null }],
  ["waiting", { lastFrameMs: null, connected: false, liveAtServer: false }],
  ["no-signal", { lastFrameMs: null, liveAtServer: false }],
  ["no-signal", { lastFrameMs: OLD, liveAtServer: false }],
  ["reconnecting", { lastFrameMs: OLD, connected: false }],
  ["reconnecting", { lastFrameMs: OLD, connected: false, liveAtServer: false }],
  ["reconnecting", { lastFrameMs: OLD }],
  ["unsupported", { unsupported: true, lastFrameMs: null }],
])("%s when %j", (expected, over) => {
  expect(feedStatus(facts(over), NOW)).toBe(expected);
});

test("whatever else is believed, an old picture is never called live", () => {
  for (const liveAtServer of [true, false]) {
    for (const connected of [true, false]) {
      expect(feedStatus(facts({ liveAtServer, connected, lastFrameMs: OLD }), NOW)).not.toBe("live");
    }
  }
});
