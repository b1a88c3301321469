import { expect, test } from "vitest";
import { en } from "../../i18n/en";
import { zh } from "../../i18n/zh";
import { groupedPeople } from "../../room/feeds";
import { person, track } from "../../room/fixtures";
import { initialState } from "../../room/state";
import { outgoingWords, sentShare } from "./chat/ChatOutgoing";
import { sends } from "./chat/Composer";
import { sizeWords } from "./chat/sizeWords";
import { evenColumns, speakerNames } from "./Controls";
import { pauseWords } from "./PauseBanner";
import { personStates, whereWords } from "./PeopleList";
import { toggled } from "./usePanels";
import { pressKey, type RoomKeyActions } from "./useRoomKeys";

const me = person("me", { person: "wang", name: "Wang" });
const tablet = person("tablet", { person: "wang", name: "Wang" });
const li = person("li", { person: "li", name: "Li", role: "site", host: true, organisation: "Clinic" });

test("role, host or guest, organisation and windows are said in words", () => {
  expect(whereWords(li, 2, en)).toBe("On-site team · Host · Clinic · in 2 windows");
  expect(whereWords(person("g", { guest: true, organisation: "" }), 1, zh)).toBe("来宾");
});

test("a person is heard when one of their seats is, and their screen is told", () => {
  const tracks = [
    track("a1", { kind: "audio", source: "microphone", participant_id: "li", muted: true }),
    track("a2", { kind: "audio", source: "microphone", participant_id: "li-2" }),
    track("s", { source: "screen", participant_id: "li" }),
  ];
  const state = {
    ...initialState("r"),
    me,
    participants: [me, li, { ...li, participant_id: "li-2" }],
    tracks,
  };
  const group = groupedPeople(state).find(({ key }) => key === "li") ?? expect.fail("no group");
  expect(personStates(group, state, new Set(["a2"]), en)).toEqual(["speaking", "sharing a screen"]);
  expect(personStates(group, state, new Set(), en)).toEqual(["microphone on", "sharing a screen"]);
});

test("whoever speaks from two windows is named once", () => {
  const tracks = ["me", "tablet"].map((id) =>
    track(`a-${id}`, { kind: "audio", source: "microphone", participant_id: id }),
  );
  const state = { me, participants: [me, tablet, li], tracks };
  expect(speakerNames(state, new Set(["a-me", "a-tablet"]))).toEqual(["Wang"]);
});

test.each([
  [false, null, "Privacy pause"],
  [false, true, "Pausing…"],
  [true, null, "Go on"],
  [true, false, "Going on…"],
  [true, true, "Go on"],
])("paused %s, asked %s: the button says %s", (paused, asked, words) => {
  expect(pauseWords(paused, asked, en.panels.pause)).toBe(words);
});

test("a message tells what happens to it, in percent of all its files", () => {
  const file = (sizeBytes: number, progress: number) => ({
    key: "",
    name: "",
    sizeBytes,
    progress,
    fileId: null,
  });
  const entry = { ref: "r", text: "", files: [file(300, 1), file(700, 0.5)], problem: null };
  expect(sentShare(entry)).toBeCloseTo(0.65);
  expect(outgoingWords({ ...entry, state: "uploading" }, en)).toBe("Sending files, 65 %");
  expect(outgoingWords({ ...entry, state: "waiting" }, en)).toBe("Waiting for the connection");
  expect(outgoingWords({ ...entry, state: "failed", problem: "too_large" }, en)).toContain("50 MB");
  expect(outgoingWords({ ...entry, state: "failed", problem: "odd" }, en)).toContain("odd");
});

test.each([
  [999, "999 bytes"],
  [1_000, "1 kB"],
  [999_499, "999 kB"],
  [999_500, "1.0 MB"],
  [50_000_000, "50.0 MB"],
])("%i bytes are %s", (bytes, words) => {
  expect(sizeWords(bytes, en)).toBe(words);
});

const enter = (over: Record<string, unknown> = {}) => ({
  key: "Enter",
  shiftKey: over["shiftKey"] === true,
  nativeEvent: { isComposing: false, keyCode: 13, ...over } as unknown as KeyboardEvent,
});

test("Enter sends, but not with Shift, and not while a Chinese word is being composed", () => {
  expect(sends(enter())).toBe(true);
  expect(sends(enter({ shiftKey: true }))).toBe(false);
  expect(sends(enter({ isComposing: true }))).toBe(false);
  expect(sends(enter({ keyCode: 229 }))).toBe(false);
});

test("on a narrow screen one panel stands at a time", () => {
  const none = { chat: false, people: false, opinion: false };
  const chat = toggled({ ...none, people: true }, "chat", true);
  expect(chat).toEqual({ ...none, chat: true });
  expect(toggled({ ...none, people: true }, "chat", false)).toEqual({ ...none, chat: true, people: true });
  expect(toggled(chat, "chat", true)).toEqual(none);
});

test.each([
  [6, 6],
  [7, 7],
  [9, 5],
  [10, 5],
])("%i buttons stand in %i columns", (buttons, columns) => {
  expect(evenColumns(buttons)).toBe(columns);
});

function pressed(key: string, code = "", shiftKey = false): string[] {
  const done: string[] = [];
  const actions = new Proxy({} as RoomKeyActions, {
    get: (_, name) => (index?: number) => {
      done.push(index === undefined ? String(name) : `${String(name)} ${index}`);
    },
  });
  return pressKey({ key, code, shiftKey }, actions) ? done : ["nothing"];
}

test.each([
  ["3", "Digit3", false, "focusNumber 2"],
  ["?", "Slash", true, "help"],
  ["c", "KeyC", false, "chat"],
  ["с", "KeyC", false, "chat"],
  ["g", "KeyG", false, "people"],
  ["q", "KeyQ", false, "question"],
  ["s", "KeyS", false, "screen"],
  ["v", "KeyV", false, "camera"],
  ["w", "KeyW", false, "wall"],
  ["P", "KeyP", true, "pause"],
  ["F", "KeyF", true, "fullScreen"],
  ["f", "KeyF", false, "freeze"],
  ["p", "KeyP", false, "nothing"],
  ["C", "KeyC", true, "nothing"],
  ["x", "KeyX", false, "nothing"],
])("%s (%s, shift %s) does: %s", (key, code, shift, does) => {
  expect(pressed(key, code, shift)).toEqual([does]);
});
