// @vitest-environment happy-dom
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LanguageChoice } from "../../../i18n/language";
import { TextProvider } from "../../../i18n/useText";
import type { ClientMessage, Control, ControlChanged } from "../../../protocol/messages";
import { ControlDesk } from "../../../room/control/controlDesk";
import { feedsOf, type Feed } from "../../../room/feeds";
import { person, track, welcome } from "../../../room/fixtures";
import { en } from "../../../i18n/en";
import { zh } from "../../../i18n/zh";
import { AskControl, askOrUse, ControlBar, ControlledWords } from "./ControlBar";
import { ControlNotices } from "./ControlNotices";
import { PictureZoom } from "../pictureZoom";
import { ControlSurface } from "./ControlSurface";
import { clockWords, ControlContext } from "./useControl";

let root: Root;
let desk: ControlDesk;
let said: ClientMessage[];
let minutesMax: number;

const feedWith = (ways: Control["ways"]): Feed =>
  feedsOf({
    tracks: [track("t", { feed: "ultrasound", control_ways: ways })],
    participants: [],
    departed: [],
    me: null,
  })[0] ?? expect.fail("no feed");
const control = (over: Partial<Control> = {}): Control => ({
  control_id: "c_1",
  feed: "ultrasound",
  participant_id: "wang",
  name: "Dr Wang",
  organisation: "University Hospital",
  stage: "asked",
  ways: ["code", "touch"],
  minutes: 5,
  tries_left: 3,
  until_us: 272_000_000,
  ...over,
});
const tell = (now: Control | null, reason: ControlChanged["reason"] = null, by = "") => {
  act(() => {
    const told = { feed: "ultrasound", control_id: "c_1", control: now, reason, by, way: null, at_us: 0 };
    desk.received({ type: "control_changed", ...told });
  });
};

function show(me: string, host = false, large: string | null = null, language = "en"): void {
  said = [];
  desk = new ControlDesk({
    say: (message) => {
      said.push(message);
      return true;
    },
    serverTimeUs: () => 0,
    nowMs: () => performance.now(),
    tracks: () => [
      track("t", { feed: "ultrasound", control_minutes: minutesMax }),
      track("other", { control_minutes: 1 }),
    ],
    later: (later, ms) => setTimeout(later, ms),
  });
  const role = me === "site" ? "site" : "specialist";
  desk.received(welcome({ participant: person(me, { role }), host }));
  const feed = feedWith(["code"]);
  const choice = new LanguageChoice(window.localStorage, [language]);
  act(() => {
    root.render(
      <TextProvider choice={choice}>
        <ControlContext value={desk}>
          <div className="tile" id="tile-ultrasound">
            <ControlSurface feedId="ultrasound" name="ultrasound" zoom={new PictureZoom()} />
            <ControlBar feed={feed} usable />
            <AskControl feed={feed} name="ultrasound" />
          </div>
          <p id="small">
            <ControlledWords feedId="ultrasound" />
          </p>
          <ControlNotices large={large} />
        </ControlContext>
      </TextProvider>,
    );
  });
}

const all = (id: string) => [...document.querySelectorAll<HTMLElement>(`[data-testid="${id}"]`)];
const at = (id: string) => all(id)[0] ?? expect.fail(`no ${id}`);
const press = (id: string) => {
  act(() => {
    at(id).click();
  });
};

beforeEach(() => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  window.localStorage.clear();
  minutesMax = 15;
  document.body.innerHTML = '<div id="root"></div>';
  root = createRoot(document.getElementById("root") ?? document.body);
});
afterEach(() => {
  act(() => {
    root.unmount();
  });
  desk.close();
  vi.unstubAllGlobals();
});

test("a specialist asks, waits, and takes it back", () => {
  show("wang");
  press("ask-control");
  expect(said).toEqual([{ type: "ask_control", feed: "ultrasound" }]);
  tell(control());
  expect(all("ask-control")).toEqual([]);
  expect(at("control-ultrasound").textContent).toContain("Waiting for the site to allow it· 4:32");
  expect(all("control-notice-asked")).toEqual([]);
  press("take-back");
  expect(said.at(-1)).toEqual({ type: "end_control", control_id: "c_1" });
});

test("the people beside the device are not offered to ask", () => {
  show("site", true);
  expect(all("ask-control")).toEqual([]);
});

test("a host sees who asks, from where and for what, and allows 5 or 15 minutes, or refuses", () => {
  show("site", true);
  tell(control());
  expect(at("control-notice-asked").textContent).toContain(
    "Dr Wang (University Hospital) asks to control ultrasound",
  );
  press("grant-5");
  press("grant-15");
  press("refuse-control");
  expect(said).toEqual([
    { type: "grant_control", control_id: "c_1", minutes: 5 },
    { type: "grant_control", control_id: "c_1", minutes: 15 },
    { type: "end_control", control_id: "c_1" },
  ]);
});

test.each([
  [15, ["Allow 5 min", "Allow 15 min"]],
  [10, ["Allow 5 min", "Allow 10 min"]],
  [3, ["Allow 3 min"]],
])("of a box that allows %d minutes no more are offered", (most, offered) => {
  minutesMax = most;
  show("site", true);
  tell(control());
  const words = all("control-notice-asked").flatMap((notice) => [...notice.querySelectorAll("button")]);
  expect(words.map((button) => button.textContent).filter((text) => text.startsWith("Allow"))).toEqual(
    offered,
  );
});

test("after allowing, it says how to confirm at the box; a code goes there, however it was typed", () => {
  show("site", true);
  tell(control({ stage: "granted" }));
  const notice = at("control-notice-granted");
  expect(notice.textContent).toContain("the box's own screen shows");
  expect(notice.textContent).toContain("Press Allow on the box's screen");
  expect(notice.textContent).not.toContain("badge");
  const field = at("control-code") as HTMLInputElement;
  expect(field.inputMode).toBe("numeric");
  field.value = "042 137";
  act(() => {
    field.form?.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }));
  });
  expect(said).toEqual([{ type: "confirm_control", control_id: "c_1", code: "042137" }]);
  tell(control({ stage: "granted", tries_left: 2 }));
  expect(notice.textContent).toContain("Wrong code. Tries left: 2");
});

test("without a code there is no field for one", () => {
  show("site", true);
  tell(control({ stage: "granted", ways: ["badge"] }));
  expect(all("control-code")).toEqual([]);
  expect(at("control-notice-granted").textContent).toContain("Scan a badge");
});

test("everybody sees who controls the device and how long still; only hosts and who controls can stop it", () => {
  show("li");
  tell(control({ stage: "active" }));
  expect(at("control-ultrasound").textContent).toContain(
    "Dr Wang (University Hospital) controls the device· 4:32",
  );
  expect(document.getElementById("small")?.textContent).toBe("Controlled by Dr Wang");
  expect(all("stop-control")).toEqual([]);
  expect(all("control-surface")).toEqual([]);
  show("site", true);
  tell(control({ stage: "active" }));
  press("stop-control");
  expect(said).toEqual([{ type: "end_control", control_id: "c_1" }]);
});

test("who controls has the surface, its way in by keyboard, and the words of the way out", () => {
  show("wang", false, "ultrasound");
  tell(control({ stage: "active" }));
  expect(all("stop-control")).toHaveLength(1);
  press("use-control");
  expect(document.activeElement).toBe(at("control-surface"));
  const hint = at("control-surface").getAttribute("aria-describedby") ?? "";
  expect(document.getElementById(hint)?.textContent).toContain("Shift+Esc");
});

test("when another picture is large, who controls can stop beside the pictures", () => {
  show("wang", false, "theatre");
  tell(control({ stage: "active" }));
  expect(at("control-notice-active").textContent).toContain("Stop control");
});

test("the room's key asks first, and then leads to the device", () => {
  show("wang");
  const key = (feed: Feed) => {
    act(() => {
      askOrUse(desk, feed);
    });
  };
  key(feedWith(["code"]));
  expect(said).toEqual([{ type: "ask_control", feed: "ultrasound" }]);
  key(feedWith([]));
  expect(said).toHaveLength(1);
  tell(control({ stage: "active" }));
  key(feedWith(["code"]));
  expect(document.activeElement).toBe(at("control-surface"));
});

test("how it ended is said to who asked until they have read it", () => {
  show("wang");
  tell(control());
  tell(null, "refused", "Li");
  expect(at("control-ultrasound").textContent).toContain("The site did not allow control. (Li)");
  expect(at("ask-control")).toBeTruthy();
  press("control-seen");
  expect(all("control-ultrasound")).toEqual([]);
});

test("hosts are told how it ended, too, in Chinese as well", () => {
  show("site", true, null, "zh-CN");
  tell(control({ stage: "active" }));
  tell(null, "device_failed");
  expect(at("control-ended").textContent).toContain("设备不接受键盘或鼠标");
  press("control-seen");
  expect(all("control-ended")).toEqual([]);
});

test("each end has a sentence of its own, in both languages", () => {
  for (const { control: words } of [en, zh]) {
    expect(new Set(Object.values(words.ends)).size).toBe(Object.values(words.ends).length);
  }
});

test.each([
  [272, "4:32"],
  [59.2, "1:00"],
  [0.1, "0:01"],
  [-3, "0:00"],
])("%d s are %s", (seconds, words) => {
  expect(clockWords(seconds)).toBe(words);
});
