// @vitest-environment happy-dom
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LanguageChoice } from "../../i18n/language";
import { TextProvider } from "../../i18n/useText";
import type { ConsultationInfo } from "../../protocol/messages";
import type { RoomClient } from "../../room/client";
import { welcome } from "../../room/fixtures";
import { initialState, type RoomState } from "../../room/state";
import { Store } from "../../room/store";
import { Notices } from "./Notices";

let root: Root;

beforeEach(() => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  document.body.innerHTML = '<div id="root"></div>';
  root = createRoot(document.getElementById("root") ?? document.body);
});
afterEach(() => {
  act(() => {
    root.unmount();
  });
  window.localStorage.clear();
  vi.unstubAllGlobals();
});

function show(language: string, problem: ConsultationInfo["recording_problem"]): string {
  const consultation = {
    ...welcome().consultation,
    recording: "failed",
    recording_problem: problem,
  } as const;
  const state: RoomState = { ...initialState("demo"), link: "joined", consultation };
  const own = { captured: new Store({ microphone: null }), replaced: new Store(null) };
  const client = { store: new Store(state), own } as unknown as RoomClient;
  act(() => {
    root.render(
      <TextProvider choice={new LanguageChoice(window.localStorage, [language])}>
        <Notices client={client} state={state} />
      </TextProvider>,
    );
  });
  return document.querySelector(".notice")?.textContent ?? expect.fail("no notice");
}

test.each(["", "disk_full", "disk_fails", "disk_slow", "setup", "recorder_left"] as const)(
  "why recording failed (%s) is told in Chinese to those who read Chinese",
  (problem) => {
    expect(show("zh", problem)).toMatch(/^[^A-Za-z]+$/u);
  },
);

test("a full disk is told as one, by the recorder's word and not by its English", () => {
  expect(show("en", "disk_full")).toContain("disk is full");
  expect(document.querySelector('[data-testid="notice-disk-full"]')).not.toBeNull();
});
