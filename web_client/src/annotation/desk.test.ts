import { expect, test } from "vitest";
import type { Change, ClientMessage, Mark, ServerMessage } from "../protocol/messages";
import { DrawingDesk } from "./desk";
import type { Operation } from "./operations";

const ME = {
  participant_id: "p_1",
  name: "Wang",
  role: "specialist" as const,
  organisation: "",
  person: "u_wang",
  guest: false,
  sends_only: false,
  host: false,
};

/** A desk in a room; what it says is kept, and answered by the test. */
function room() {
  const said: ClientMessage[] = [];
  const later: { act: () => void; ms: number }[] = [];
  let [connected, ids, nowMs] = [true, 0, 1_000];
  const desk = new DrawingDesk({
    say: (message) => connected && said.push(message) > 0,
    newId: () => `i${(ids += 1)}`,
    nowMs: () => nowMs,
    serverTimeUs: () => 1_000_000,
    later: (act, ms) => later.push({ act, ms }),
  });
  const hears = (message: unknown) => {
    desk.received(message as ServerMessage);
  };
  const welcomed = () => {
    connected = true;
    hears({ type: "welcome", participant: ME, host: false });
  };
  return {
    desk,
    drawings: desk.of("us"),
    hears,
    welcomed,
    synced: (...feeds: string[]) => {
      hears({ type: "annotations_synced", feeds });
    },
    loses: () => {
      connected = false;
    },
    passes: (ms: number) => {
      nowMs += ms;
      for (const { act } of later.splice(0)) act();
    },
    take: () => said.splice(0),
  };
}

function added(seq: number, opId: string, mark: Partial<Mark>, author = "u_wang"): Change {
  const put = [{ mark_id: "m1", points: [0.1, 0.1], pressures: [], author, ...mark } as Mark];
  const rest = { removed: [], extended: null, calibration: null, undo: 1, redo: 0 };
  return { seq, op: "add", op_id: opId, author, at_us: 1, put, ...rest };
}

const add = (id: string): Operation => ({
  op: "add",
  mark: { mark_id: id, tool: "pen", colour: "#ffffff", width: 0.01, points: [0.1, 0.1] },
});
const extend = (id: string, start: number, ...points: number[]): Operation => ({
  op: "extend",
  mark_id: id,
  start,
  points,
});

test("one's own stroke is seen at once and stays the same when the server has it", () => {
  const { drawings, hears, welcomed, synced, take } = room();
  welcomed();
  synced();
  take();
  drawings.do(add("m1"));
  expect(drawings.marks()).toMatchObject([{ mark_id: "m1", author: "u_wang", feed: "us" }]);
  expect(take()).toMatchObject([{ type: "annotate", op_id: "i1", feed: "us" }]);
  hears({ type: "annotations_changed", feed: "us", document_id: "d", changes: [added(1, "i1", {})] });
  expect([drawings.waits, drawings.marks().length, drawings.steps]).toEqual([0, 1, { undo: 1, redo: 0 }]);
});

test("what was drawn while the network was away is said once it is back, pieces of a stroke together", () => {
  const { drawings, welcomed, synced, loses, take } = room();
  welcomed();
  synced();
  loses();
  take();
  drawings.do(add("m1"));
  drawings.do(extend("m1", 1, 0.2, 0.2));
  drawings.do(extend("m1", 2, 0.3, 0.3));
  expect(take()).toEqual([]);
  welcomed();
  expect(take()).toMatchObject([{ type: "sync_annotations", seen: [] }]);
  synced();
  expect(take()).toMatchObject([
    { operation: { op: "add" } },
    { operation: { op: "extend", start: 1, points: [0.2, 0.2, 0.3, 0.3] } },
  ]);
});

test("of what the server had already, though its answer was lost, nothing is drawn twice", () => {
  const { drawings, hears, welcomed, synced, take } = room();
  welcomed();
  synced();
  drawings.do(add("m1"));
  drawings.do(extend("m1", 1, 0.2, 0.2, 0.3, 0.3));
  welcomed();
  const mark = { ...added(1, "x", {}).put[0], points: [0.1, 0.1, 0.2, 0.2] };
  const document = { feed: "us", document_id: "d", seq: 2, calibration: null, undo: 1, redo: 0 };
  hears({ type: "annotation_document", ...document, marks: [mark], first: true, last: true });
  take();
  synced("us");
  expect(take()).toMatchObject([{ operation: { op: "extend", start: 2, points: [0.3, 0.3] } }]);
  expect(drawings.marks()[0]?.points).toEqual([0.1, 0.1, 0.2, 0.2, 0.3, 0.3]);
});

test("a missing change makes it ask, once, with what it has", () => {
  const { drawings, hears, welcomed, synced, take } = room();
  welcomed();
  synced();
  take();
  const told = (change: Change) => {
    hears({ type: "annotations_changed", feed: "us", document_id: "d", changes: [change] });
  };
  told(added(1, "a", {}, "u_li"));
  told(added(3, "c", { mark_id: "m3" }, "u_li"));
  told(added(4, "d", { mark_id: "m4" }, "u_li"));
  expect(take()).toEqual([{ type: "sync_annotations", seen: [{ feed: "us", document_id: "d", seq: 1 }] }]);
  expect(drawings.marks()).toHaveLength(1);
});

test("a document in parts counts when it is whole", () => {
  const { drawings, hears } = room();
  const part = { type: "annotation_document", feed: "us", document_id: "d", seq: 7, calibration: null };
  const marks = [added(1, "a", {}).put[0], added(1, "a", { mark_id: "m2" }).put[0]];
  hears({ ...part, marks: [marks[0]], first: true, last: false, undo: 0, redo: 0 });
  expect(drawings.marks()).toEqual([]);
  hears({ ...part, marks: [marks[1]], first: false, last: true, undo: 3, redo: 1 });
  expect(drawings.marks().map((mark) => mark.mark_id)).toEqual(["m1", "m2"]);
  expect(drawings.steps).toEqual({ undo: 3, redo: 1 });
});

test("what the server refuses is not seen any more, and why is said", () => {
  const { desk, drawings, hears, welcomed, synced } = room();
  welcomed();
  synced();
  drawings.do(add("m1"));
  hears({ type: "error", code: "document_full", message: "", about: "annotate", ref: "i1" });
  expect(drawings.marks()).toEqual([]);
  expect(desk.problem.get()).toBe("document_full");
});

test("what was too fast is said again, in order", () => {
  const { drawings, hears, welcomed, synced, passes, take } = room();
  welcomed();
  synced();
  drawings.do(add("m1"));
  drawings.do(extend("m1", 1, 0.2, 0.2));
  hears({ type: "error", code: "too_fast", message: "", about: "annotate", ref: "i1" });
  hears({ type: "error", code: "mark_not_found", message: "", about: "annotate", ref: "i2" });
  take();
  passes(2_000);
  expect(take()).toMatchObject([{ op_id: "i1" }, { op_id: "i2" }]);
});

test("drawings the server has forgotten are gone here, too", () => {
  const { drawings, hears, welcomed, synced } = room();
  welcomed();
  synced();
  hears({ type: "annotations_changed", feed: "us", document_id: "d", changes: [added(1, "a", {})] });
  welcomed();
  synced();
  expect(drawings.marks()).toEqual([]);
  hears({ type: "annotations_changed", feed: "us", document_id: "e", changes: [added(1, "b", {})] });
  expect(drawings.marks()).toHaveLength(1);
});

test("of where somebody points, the newest is said, thirty times a second and the last in any case", () => {
  const { desk, passes, take } = room();
  desk.point("us", { x: 0.1, y: 0.1 }, 5);
  desk.point("us", { x: 0.2, y: 0.1 }, 6);
  desk.point("us", null, null);
  expect(take()).toMatchObject([{ type: "point", at: { x: 0.1 } }]);
  passes(33);
  expect(take()).toMatchObject([{ type: "point", at: null }]);
});

test("a pointer that says nothing any more is gone", () => {
  const { drawings, hears } = room();
  const at = { x: 0.5, y: 0.5 };
  hears({ type: "pointed", feed: "us", participant_id: "p_2", person: "u", name: "Li", at });
  expect(drawings.livePointers(1_500)).toMatchObject([{ name: "Li", x: 0.5 }]);
  expect(drawings.livePointers(9_000)).toEqual([]);
});
