import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ClientMessage, Control, ServerMessage } from "../../protocol/messages";
import { person, welcome } from "../fixtures";
import { ControlDesk, type ControlEnd } from "./controlDesk";

let said: ClientMessage[];
let isThere: boolean;
let serverUs: number | null;
let desk: ControlDesk;

const control = (over: Partial<Control> = {}): Control => ({
  control_id: "c_1",
  feed: "ultrasound",
  participant_id: "me",
  name: "Dr Wang",
  organisation: "",
  stage: "asked",
  ways: ["code"],
  minutes: 0,
  tries_left: 3,
  until_us: 0,
  ...over,
});
const changed = (now: Control | null, reason: ControlEnd | null = null): ServerMessage => ({
  type: "control_changed",
  feed: "ultrasound",
  control_id: now?.control_id ?? "c_1",
  control: now,
  reason,
  way: null,
  by: "Li",
  at_us: 0,
});
const refused = (about: string, code: string): ServerMessage => ({
  type: "error",
  about,
  code,
  message: "",
  ref: null,
});
const shown = () => desk.store.get().now.get("ultrasound");
const end = () => desk.store.get().ended.get("ultrasound");
const presses = () => said.filter(({ type }) => type === "press");

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  said = [];
  isThere = true;
  serverUs = 1_700_000_000_000_000.25;
  desk = new ControlDesk({
    say: (message) => {
      if (isThere) said.push(message);
      return isThere;
    },
    serverTimeUs: () => (serverUs === null ? null : serverUs + performance.now() * 1000),
    nowMs: () => performance.now(),
    tracks: () => [],
    later: (act, ms) => setTimeout(act, ms),
  });
  desk.received(welcome());
});
afterEach(() => {
  desk.close();
  vi.useRealTimers();
});

test("nothing is pressed before a control is active, and only by whose it is", () => {
  desk.received(changed(control()));
  desk.received(changed(control({ stage: "granted" })));
  expect(desk.lineOf("ultrasound")).toBeNull();
  desk.received(changed(control({ stage: "active", participant_id: "li" })));
  expect(desk.lineOf("ultrasound")).toBeNull();
  desk.received(changed(control({ stage: "active" })));
  expect(desk.lineOf("ultrasound")).not.toBeNull();
  expect(presses()).toMatchObject([{ control_id: "c_1", pressed: { keys: [], pointer: null, wheel: 0 } }]);
});

test("each press says when it was by the server's clock, in whole microseconds", () => {
  desk.received(changed(control({ stage: "active" })));
  vi.advanceTimersByTime(1_200);
  const times = presses().map((press) => "said_us" in press && press.said_us);
  const [first = 0] = times;
  expect(times).toEqual([first, Number(first) + 500_000, Number(first) + 1_000_000]);
  expect(times.every(Number.isInteger)).toBe(true);
});

test("as long as the server's clock is unknown nothing is pressed, nor once it is known what was down before", () => {
  serverUs = null;
  desk.received(changed(control({ stage: "active" })));
  desk.lineOf("ultrasound")?.pointerAt(0.5, 0.5, 1);
  expect(presses()).toEqual([]);
  serverUs = 1_000_000;
  vi.advanceTimersByTime(500);
  expect(presses()).toMatchObject([{ pressed: { pointer: null } }]);
});

test("the end of a control ends what is said", () => {
  desk.received(changed(control({ stage: "active" })));
  desk.received(changed(null, "expired"));
  const { length } = presses();
  vi.advanceTimersByTime(5_000);
  expect(presses()).toHaveLength(length);
  expect(desk.lineOf("ultrasound")).toBeNull();
  expect(end()).toMatchObject({ reason: "expired", by: "Li" });
});

test("whoever stops it presses nothing more, whatever the server says and when", () => {
  const active = control({ stage: "active" });
  desk.received(changed(active));
  desk.end(active);
  expect(said.at(-1)).toEqual({ type: "end_control", control_id: "c_1" });
  desk.received(changed(active));
  expect(desk.lineOf("ultrasound")).toBeNull();
});

test("a stop that nobody heard is said again", () => {
  const active = control({ stage: "active" });
  desk.received(changed(active));
  isThere = false;
  desk.end(active);
  expect(desk.store.get().problem).toBe("away");
  isThere = true;
  desk.received(welcome({ controls: [active] }));
  expect(said.at(-1)).toEqual({ type: "end_control", control_id: "c_1" });
  expect(desk.lineOf("ultrasound")).toBeNull();
});

test("who acted need not be told how it ended; who waited is", () => {
  desk.received(changed(control()));
  desk.end(control());
  desk.received(changed(null, "withdrawn"));
  expect(end()).toBeUndefined();
  desk.received(changed(control()));
  desk.received(changed(null, "refused"));
  expect(end()?.reason).toBe("refused");
});

test("hosts are told of everybody's, others of their own only", () => {
  const theirs = control({ participant_id: "li" });
  desk.received(changed(theirs));
  desk.received(changed(null, "not_answered"));
  expect(end()).toBeUndefined();
  desk.received(welcome({ host: true }));
  desk.received(changed(theirs));
  desk.received(changed(null, "not_answered"));
  expect(end()?.reason).toBe("not_answered");
});

test("asking anew, or reading it, puts away how it ended before", () => {
  desk.received(changed(control()));
  desk.received(changed(null, "refused"));
  desk.received(changed(control({ control_id: "c_2" })));
  expect(end()).toBeUndefined();
});

test("an end that belongs to an older control changes nothing", () => {
  desk.received(changed(control({ control_id: "c_2" })));
  desk.received(changed(null, "refused"));
  expect(desk.store.get().now.get("ultrasound")?.control_id).toBe("c_2");
});

test("after a lost connection the welcome says what there is; one's own that is gone says so", () => {
  desk.received(changed(control({ stage: "active" })));
  desk.received(welcome());
  expect(end()?.reason).toBeNull();
  expect(desk.lineOf("ultrasound")).toBeNull();
});

test("the same control goes on with the same line, and with nothing down", () => {
  const active = control({ stage: "active" });
  desk.received(changed(active));
  const line = desk.lineOf("ultrasound");
  line?.pointerAt(0.5, 0.5, 1);
  desk.away();
  desk.received(welcome({ controls: [active] }));
  expect(desk.lineOf("ultrasound")).toBe(line);
  vi.advanceTimersByTime(600);
  expect(presses().at(-1)).toMatchObject({ pressed: { pointer: null } });
});

test("only specialists ask; what the server refuses is said until the next try", () => {
  expect(desk.asks).toBe(true);
  desk.ask("ultrasound");
  desk.received(refused("ask_control", "box_away"));
  expect(desk.store.get().problem).toBe("box_away");
  desk.received(refused("press", "not_controlling"));
  expect(desk.store.get().problem).toBe("box_away");
  desk.ask("ultrasound");
  expect(desk.store.get().problem).toBeNull();
  desk.received(welcome({ participant: person("site", { role: "site" }) }));
  expect(desk.asks).toBe(false);
});

test.each(["control_not_found", "control_over"])("what the server calls %s is not shown any more", (code) => {
  desk.received(welcome({ host: true }));
  desk.received(changed(control({ participant_id: "li" })));
  desk.grant(control(), 5);
  desk.received(refused("grant_control", code));
  expect(shown()).toBeUndefined();
  expect(end()).toMatchObject({ reason: null, by: "" });
  expect(desk.store.get().problem).toBeNull();
});

test("a press that is refused so ends what is pressed; why is told when it is known", () => {
  desk.received(changed(control({ stage: "active" })));
  desk.received(refused("press", "control_over"));
  expect(desk.lineOf("ultrasound")).toBeNull();
  const { length } = presses();
  vi.advanceTimersByTime(5_000);
  expect(presses()).toHaveLength(length);
  desk.received(changed(null, "expired"));
  expect(end()).toMatchObject({ reason: "expired", by: "Li" });
});

test("a refusal puts away only what was acted on", () => {
  desk.received(welcome({ host: true }));
  const other = control({ control_id: "c_2", feed: "theatre", participant_id: "li" });
  desk.received(changed(control({ participant_id: "li" })));
  desk.received({ ...changed(other), feed: "theatre", control_id: "c_2" } as ServerMessage);
  desk.grant(control(), 5);
  desk.end(other);
  desk.received(refused("end_control", "control_not_found"));
  expect([...desk.store.get().now.keys()]).toEqual(["ultrasound"]);
  desk.received(refused("grant_control", "control_granted"));
  expect([...desk.store.get().now.keys()]).toEqual(["ultrasound"]);
});
