import { expect, test, vi } from "vitest";
import type { ClientMessage, ServerMessage, Still } from "../../protocol/messages";
import { welcome } from "../../room/fixtures";
import { stillName } from "./annotated";
import { FreezeDesk, shownStill, stillsOf } from "./freezeDesk";

const FEED = "theatre";

function still(more: Partial<Still> = {}): Still {
  const file = { file_id: "fz_1", name: "theatre.png", media_type: "image/png", size_bytes: 9, sha256: "0" };
  return {
    still_id: "fz_1",
    ref: "r1",
    feed: FEED,
    captured_us: 1_790_000_000_123_456,
    person: "u_wang",
    name: "Wang",
    at_us: 1,
    state: "ready",
    problem: "",
    file,
    width: 1920,
    height: 1080,
    ...more,
  };
}

function setup(connected = true) {
  const said: ClientMessage[] = [];
  const later: (() => void)[] = [];
  const desk = new FreezeDesk({
    say: (message) => {
      if (connected) said.push(message);
      return connected;
    },
    newId: () => "r1",
    later: (act) => later.push(act),
  });
  const hear = (...messages: ServerMessage[]) => {
    for (const message of messages) desk.received(message);
  };
  return { desk, said, later, hear, shown: () => shownStill(desk.store.get(), FEED)?.still_id ?? null };
}

const problem = (desk: FreezeDesk) => desk.store.get().problems.get(FEED);
const wanted = still({ state: "wanted", file: null });

test("The very frame on screen is asked for, and shown to everybody once its picture is there", () => {
  const { desk, said, hear, shown } = setup();
  desk.freeze(FEED, 1_790_000_000_123.2);
  expect(said).toEqual([{ type: "freeze", ref: "r1", feed: FEED, captured_us: 1_790_000_000_123 }]);
  hear({ type: "frozen", still: wanted });
  expect(shown()).toBeNull();
  hear({ type: "still_changed", still: still() });
  expect(shown()).toBe("fz_1");
});

test("Going back to the live picture is one's own; the still stays and can be looked at again", () => {
  const { desk, said, hear, shown } = setup();
  hear({ type: "still_changed", still: still() });
  desk.choose(FEED, null);
  expect(shown()).toBeNull();
  expect(stillsOf(desk.store.get(), FEED)).toHaveLength(1);
  desk.choose(FEED, "fz_1");
  expect(shown()).toBe("fz_1");
  expect(said).toEqual([]);
});

test("Put away by anybody, it is gone and the live picture is back", () => {
  const { desk, said, hear, shown } = setup();
  hear({ type: "still_changed", still: still() });
  desk.unfreeze(still());
  expect(said).toEqual([{ type: "unfreeze", still_id: "fz_1" }]);
  hear({ type: "unfrozen", still_id: "fz_1", feed: FEED, by: "Wang", at_us: 2 });
  expect([shown(), desk.store.get().stills]).toEqual([null, []]);
});

test("What cannot be frozen is said, and nothing is shown as if it were", () => {
  const { desk, hear, shown } = setup();
  hear({ type: "frozen", still: wanted });
  hear({ type: "still_changed", still: still({ state: "failed", problem: "gone", file: null }) });
  expect([shown(), desk.store.get().stills, problem(desk)]).toEqual([null, [], "gone"]);
});

test("A refusal is said beside the picture it was about, and no longer than it matters", () => {
  const { desk, hear, later } = setup();
  desk.freeze(FEED, 5);
  hear({ type: "error", code: "box_away", message: "", about: "freeze", ref: "other" });
  expect(problem(desk)).toBeUndefined();
  hear({ type: "error", code: "box_away", message: "", about: "freeze", ref: "r1" });
  expect(problem(desk)).toBe("box_away");
  later[0]?.();
  expect(problem(desk)).toBeUndefined();
  desk.unfreeze(still());
  hear({ type: "error", code: "not_yours", message: "", about: "unfreeze", ref: null });
  expect(problem(desk)).toBe("not_yours");
});

test("Without a connection, or when nobody knows which frame is shown, nothing is asked and it is said why", () => {
  const away = setup(false);
  away.desk.freeze(FEED, 5);
  expect(problem(away.desk)).toBe("away");
  const unknown = setup();
  unknown.desk.freeze(FEED, null);
  expect([problem(unknown.desk), unknown.said]).toEqual(["no_time", []]);
});

test("Whoever comes later, or comes back, sees what is frozen; what was put away meanwhile is gone", () => {
  const { desk, hear, shown } = setup();
  const told = (stills: Still[]) => ({ ...welcome(), stills });
  hear(told([still()]));
  expect(shown()).toBe("fz_1");
  desk.choose(FEED, null);
  hear(told([still()]));
  expect(shown()).toBeNull();
  hear(told([still(), still({ still_id: "fz_2", at_us: 2 })]));
  expect(shown()).toBe("fz_2");
  hear(told([]));
  expect([shown(), desk.store.get().stills]).toEqual([null, []]);
});

test("A listener hears of every change once it is whole", () => {
  const { desk, hear } = setup();
  const heard = vi.fn();
  desk.store.subscribe(heard);
  hear({ type: "frozen", still: wanted });
  expect(heard).toHaveBeenCalledTimes(1);
});

test("A saved picture's name says which feed and when, and nothing of the patient", () => {
  expect(stillName(still({ captured_us: 1_790_000_000_123_456 }))).toBe(
    "theatre-2026-09-21T14-13-20-123Z.png",
  );
});
