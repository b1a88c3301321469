import { expect, test } from "vitest";
import { REPLAY_WORDS } from "../i18n/words/replay";
import { marksOf, type Mark, type RoomEvent } from "./events";

const SECOND_US = 1_000_000;
const event = (atS: number, type: string, fields: Record<string, unknown>): RoomEvent => ({
  atUs: atS * SECOND_US,
  type,
  fields: { control_id: "c_1", feed: "ultrasound", ...fields },
});
const changed = (atS: number, stage: string | null, over: Record<string, unknown> = {}) =>
  event(atS, "control_changed", {
    control: stage === null ? null : { stage, name: "Dr Wang", tries_left: 3 },
    by: "Li",
    ...over,
  });
const pressed = (atS: number, keys: string[], pointer: object | null = null, wheel = 0) =>
  event(atS, "control_pressed", { participant_id: "p_1", pressed: { keys, pointer, wheel } });
const say = (mark: Mark, language: "en" | "zh-CN") =>
  REPLAY_WORDS[language].events.types[mark.type]?.(mark.who, mark.what, mark.on, mark.by ?? "");

const STORY = [
  changed(1, "asked"),
  changed(2, "granted"),
  changed(3, "granted", { control: { stage: "granted", name: "Dr Wang", tries_left: 2 } }),
  changed(4, "active", { way: "code" }),
  changed(9, null, { reason: "stopped" }),
];

test("from asking to the end it says who, by whom and why, in both languages", () => {
  const marks = marksOf(STORY);
  expect(marks.every(({ kind }) => kind === "control")).toBe(true);
  expect(marks.map((mark) => say(mark, "en"))).toEqual([
    "Dr Wang asked to control ultrasound",
    "Li allowed Dr Wang to control ultrasound",
    "A wrong code was typed for control by Dr Wang",
    "Dr Wang controls the device. Confirmed at the box: code",
    "Control was stopped. Dr Wang; by Li",
  ]);
  expect(marks.map((mark) => say(mark, "zh-CN"))).toEqual([
    "Dr Wang 请求操作“ultrasound”",
    "Li 允许 Dr Wang 操作“ultrasound”",
    "为 Dr Wang 的操作输入了错误的验证码",
    "Dr Wang 开始操作设备。在采集终端上确认：验证码",
    "操作已被停止。Dr Wang；由 Li",
  ]);
});

test("a reason of a newer server is shown as it is", () => {
  const [, over] = marksOf([changed(1, "active"), changed(2, null, { reason: "struck_by_lightning" })]);
  expect(over && say(over, "en")).toContain("struck_by_lightning");
});

test("what is pressed shortly after each other is one line; motion and releases are none", () => {
  const at = (x: number, buttons: number) => ({ x, y: 0.5, buttons });
  const marks = marksOf([
    changed(1, "active"),
    pressed(2, ["ShiftLeft"]),
    pressed(2.1, ["ShiftLeft", "KeyA"]),
    pressed(2.2, []),
    pressed(3, [], at(0.25, 0)),
    pressed(3.1, [], at(0.25, 1)),
    pressed(3.2, [], at(0.3, 1)),
    pressed(3.3, [], at(0.3, 0), -2),
    pressed(30, ["Digit4"]),
    pressed(31, ["Digit4"]),
  ]).filter(({ type }) => type === "control_pressed");
  expect(marks.map(({ atUs, who, what }) => [atUs / SECOND_US, who, what])).toEqual([
    [2, "Dr Wang", "Shift Shift+A ●(25 %, 50 %) ▼"],
    [30, "Dr Wang", "4"],
  ]);
});

test("an hour of typing does not become one endless line", () => {
  const typing = Array.from({ length: 100 }, (_, at) => pressed(at, at % 2 === 0 ? ["KeyA"] : []));
  const marks = marksOf(typing);
  expect(marks.length).toBeGreaterThan(1);
  expect(Math.max(...marks.map(({ what }) => what.length))).toBeLessThan(70);
});

test("lines that are none of what they seem break nothing", () => {
  const odd = [
    event(1, "control_pressed", { pressed: 7, control_id: 4 }),
    event(2, "control_changed", { control: "x" }),
  ];
  expect(marksOf(odd)).toHaveLength(1);
});
