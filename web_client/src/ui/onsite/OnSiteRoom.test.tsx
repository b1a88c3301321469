// @vitest-environment happy-dom
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LanguageChoice } from "../../i18n/language";
import { TextProvider } from "../../i18n/useText";
import { person, track } from "../../room/fixtures";
import { ChatDesk } from "../../room/chatDesk";
import type { RoomClient } from "../../room/client";
import type { RoomState } from "../../room/state";
import { FILE_MAX_BYTES } from "../../room/fileRules";
import { Store } from "../../room/store";
import { useStore } from "../hooks";
import { clientOf, roomWith } from "../room/stageFixtures";
import { useStage } from "../room/useStage";
import { Experts } from "./Experts";
import { SiteChat } from "./SiteChat";
import { SiteControls } from "./SiteControls";
import { SitePictures } from "./SitePictures";

let root: Root;
let store: Store<RoomState>;
let client: RoomClient;
const did = vi.fn<(...what: unknown[]) => void>();

const wang = person("p1", { name: "Dr Wang", person: "u_wang", organisation: "University Hospital" });
const voice = track("v1", { kind: "audio", source: "microphone", participant_id: "p1", feed: "p1" });
const face = track("c1", { source: "camera", participant_id: "p1", feed: "p1" });

/** The page's parts beside each other; their frame around them needs a whole session. */
function Page() {
  const state = useStore(store);
  const stage = useStage(state);
  const parts = { client, state };
  return (
    <>
      <SitePictures {...parts} stage={stage} />
      <Experts {...parts} feeds={stage.feeds} />
      <SiteChat {...parts} />
      <SiteControls
        {...parts}
        onEnd={() => {
          did("end");
        }}
        onLeave={() => {
          did("leave");
        }}
      />
    </>
  );
}

function show(over: Partial<RoomState> = {}): void {
  const site = roomWith(["theatre", "ultrasound"]);
  store = new Store({ ...site, host: true, ...over });
  const own = {
    toggle: (source: string) => {
      did("toggle", source);
    },
  };
  const chat = new ChatDesk();
  client = Object.assign(clientOf(store), {
    own,
    chat,
    setPaused: (paused: boolean) => {
      did("pause", paused);
    },
  });
  const choice = new LanguageChoice(window.localStorage, ["en"]);
  act(() => {
    root.render(
      <TextProvider choice={choice}>
        <Page />
      </TextProvider>,
    );
  });
}

const at = (id: string) =>
  document.querySelector<HTMLElement>(`[data-testid="${id}"]`) ?? expect.fail(`no ${id}`);
const press = (element: HTMLElement) => {
  act(() => {
    element.click();
  });
};

beforeEach(() => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  did.mockClear();
  document.body.innerHTML = '<div id="root"></div>';
  root = createRoot(document.getElementById("root") ?? document.body);
});
afterEach(() => {
  act(() => {
    root.unmount();
  });
});

test("the site's own pictures are there, one large; faces are not among them", () => {
  const site = roomWith(["theatre", "ultrasound"]);
  show({ tracks: [...site.tracks, face], participants: [...site.participants, wang] });
  expect(at("feed-theatre").dataset["focused"]).toBe("true");
  press(at("feed-ultrasound").querySelector<HTMLElement>(".cover") ?? expect.fail());
  expect(at("feed-ultrasound").dataset["focused"]).toBe("true");
  expect(at("feed-p1").closest(".onsite-experts")).not.toBeNull();
});

test("without an expert it says what to do", () => {
  show();
  expect(document.body.textContent).toContain("No expert is here yet");
});

test("who speaks is said in words, and who merely listens, too", () => {
  const site = roomWith([]);
  show({ participants: [...site.participants, wang], tracks: [] });
  expect(at("expert").textContent).toContain("Dr Wang");
  expect(at("expert").textContent).toContain("Listening");
  act(() => {
    store.set({ ...store.get(), tracks: [voice] });
    client.monitor.readings.set({ feeds: new Map(), speaking: new Set(["v1"]) });
  });
  expect(at("expert").textContent).toContain("Speaking");
});

test("a person with two windows is one expert", () => {
  const site = roomWith([]);
  show({ participants: [...site.participants, wang, { ...wang, participant_id: "p2" }] });
  expect(document.querySelectorAll('[data-testid="expert"]')).toHaveLength(1);
});

test("a closed microphone says that nobody hears the room; one touch switches it", () => {
  show();
  expect(at("mic").textContent).toContain("Nobody hears this room");
  press(at("mic"));
  expect(did).toHaveBeenCalledWith("toggle", "microphone");
  const on = { phase: "on", stream: new MediaStream() } as const;
  act(() => {
    store.set({ ...store.get(), devices: { ...store.get().devices, microphone: on } });
  });
  expect(at("mic").textContent).toBe("Microphone on");
});

test("pause, end and leave are one touch each; only hosts pause and end", () => {
  show();
  press(at("pause"));
  press(at("end"));
  press(at("leave"));
  expect(did.mock.calls).toEqual([["pause", true], ["end"], ["leave"]]);
  act(() => {
    store.set({ ...store.get(), host: false });
  });
  expect(document.querySelector('[data-testid="end"], [data-testid="pause"]')).toBeNull();
});

test("a quick answer goes out as a message, and is shown until everybody has it", () => {
  show();
  press(document.querySelector<HTMLElement>('[data-testid="quick-answer"]') ?? expect.fail());
  expect(client.chat.outbox.store.get().map(({ text }) => text)).toEqual(["Yes"]);
  expect(at("chat-outgoing").textContent).toContain("Yes");
});

test("files are chosen with one touch and sent with another; what is too large says so", () => {
  show();
  const input = at("site-file") as HTMLInputElement;
  const choose = (...files: File[]) => {
    Object.defineProperty(input, "files", { value: files, configurable: true });
    act(() => {
      input.dispatchEvent(new Event("change", { bubbles: true }));
    });
  };
  expect(at("site-attach").textContent).toBe("Add files");
  const huge = new File(["x"], "huge.mp4");
  Object.defineProperty(huge, "size", { value: FILE_MAX_BYTES + 1 });
  choose(new File(["x"], "ecg.pdf"), huge);
  expect(at("onsite-chat").textContent).toContain("ecg.pdf");
  expect(at("file-refused").textContent).toContain("huge.mp4");
  expect(client.chat.outbox.store.get()).toEqual([]);
  press(at("site-send"));
  expect(client.chat.outbox.store.get().map(({ files }) => files.map(({ name }) => name))).toEqual([
    ["ecg.pdf"],
  ]);
  expect(document.querySelector('[data-testid="site-send"]')).toBeNull();
});

test("what the experts filed stands among their messages", () => {
  const opinion = { opinion_id: "o_1", ref: "r", person: "u_wang", name: "Dr Wang", organisation: "" };
  show({ opinions: [{ ...opinion, text: "Mild", at_us: 0 }] });
  expect(at("onsite-chat").textContent).toContain("Mild");
});

test("the newest message on the page counts as read", () => {
  const entry = { chat_id: "m1", ref: "r", person: "u_wang", name: "Dr Wang", role: "specialist" as const };
  show({ chat: [{ ...entry, organisation: "", text: "Please tilt it.", files: [], at_us: 0 }] });
  expect(at("chat-entry").textContent).toContain("Please tilt it.");
  expect(client.chat.readUpTo.get()).toBe("m1");
});
