import { expect, test } from "vitest";
import {
  feedStatus,
  STALE_AFTER_MS,
  STILL_SCREEN_STALE_AFTER_MS,
  type FeedFacts,
  type FeedStatus,
} from "./feedStatus";

const NOW = 100_000;
const FRESH = NOW - 30;
const OLD = NOW - STALE_AFTER_MS - 1;
const facts = (over: Partial<FeedFacts>): FeedFacts => ({
  liveAtServer: true,
  connected: true,
  unsupported: false,
  held: false,
  slate: false,
  lastFrameMs: FRESH,
  staleAfterMs: STALE_AFTER_MS,
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
  ["stalled", { lastFrameMs: OLD }],
  // Nothing moves on a shared screen for a while: that is no failure.
  ["live", { lastFrameMs: OLD, staleAfterMs: STILL_SCREEN_STALE_AFTER_MS }],
  // The server took it back: what is on screen is about to stand still.
  ["held", { held: true }],
  ["held", { held: true, lastFrameMs: OLD }],
  ["no-signal", { held: true, lastFrameMs: OLD, liveAtServer: false }],
  ["reconnecting", { held: true, lastFrameMs: OLD, connected: false }],
  ["unsupported", { unsupported: true, lastFrameMs: null }],
  // A box without a picture from its device sends slates, a few a second.
  ["no-signal", { slate: true }],
  ["no-signal", { slate: true, lastFrameMs: OLD }],
  ["waiting", { slate: true, lastFrameMs: null }],
  ["reconnecting", { slate: true, lastFrameMs: OLD, connected: false }],
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
