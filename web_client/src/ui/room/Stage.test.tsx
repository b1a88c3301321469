// @vitest-environment happy-dom
import { act, Profiler, useEffect } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LanguageChoice } from "../../i18n/language";
import { TextProvider } from "../../i18n/useText";
import { person, track } from "../../room/fixtures";
import type { RoomClient } from "../../room/client";
import type { RoomState } from "../../room/state";
import { Store } from "../../room/store";
import { useStore } from "../hooks";
import { Stage } from "./Stage";
import { clientOf, roomWith } from "./stageFixtures";
import { useStage, type StageModel } from "./useStage";

let root: Root;
let store: Store<RoomState>;
let client: RoomClient;
/** What the room's keys and controls would use. */
const held: { stage: StageModel | null } = { stage: null };
const stageNow = () => held.stage ?? expect.fail("nothing is shown");
let drawn = 0;

function Room() {
  const state = useStore(store);
  const model = useStage(state);
  useEffect(() => {
    held.stage = model;
  });
  return (
    <Profiler
      id="stage"
      onRender={() => {
        drawn += 1;
      }}
    >
      <Stage client={client} state={state} stage={model} />
    </Profiler>
  );
}

function show(state: RoomState): void {
  store = new Store(state);
  client = clientOf(store);
  const choice = new LanguageChoice(window.localStorage, ["en"]);
  act(() => {
    root.render(
      <TextProvider choice={choice}>
        <Room />
      </TextProvider>,
    );
  });
}

const change = (over: Partial<RoomState>) => {
  act(() => {
    store.set({ ...store.get(), ...over });
  });
};
const wall = () => {
  act(() => {
    stageNow().setView("wall");
  });
};
const order = () => [...document.querySelectorAll<HTMLElement>(".tile")].map((tile) => tile.dataset["feed"]);
const tile = (id: string) =>
  document.querySelector<HTMLElement>(`[data-testid="feed-${id}"]`) ?? expect.fail(`no ${id}`);
const button = (id: string) =>
  document.querySelector<HTMLButtonElement>(`[data-testid="${id}"]`) ?? expect.fail(`no ${id}`);
const click = (element: Element | null) => {
  act(() => {
    element?.dispatchEvent(new MouseEvent("click", { bubbles: true, detail: 1 }));
  });
};
const key = (element: Element, pressed: string) => {
  act(() => {
    element.dispatchEvent(new KeyboardEvent("keydown", { key: pressed, bubbles: true, cancelable: true }));
  });
};
const words = () => document.querySelector(".moving-words")?.textContent ?? "";

beforeEach(() => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  window.localStorage.clear();
  document.body.innerHTML = '<div id="root"></div>';
  root = createRoot(document.getElementById("root") ?? document.body);
});
afterEach(() => {
  act(() => {
    root.unmount();
  });
  vi.unstubAllGlobals();
});

test("the first device picture is large, a click on another makes that one large", () => {
  show(roomWith(["theatre", "ultrasound"]));
  expect(tile("theatre").dataset["focused"]).toBe("true");
  click(tile("ultrasound").querySelector(".cover"));
  expect(tile("ultrasound").dataset["focused"]).toBe("true");
  expect(tile("theatre").dataset["focused"]).toBe("false");
});

test("changing between wall and focus, the picture stays the very same element", () => {
  show(roomWith(["theatre", "ultrasound"]));
  const before = tile("ultrasound").querySelector("video");
  wall();
  click(tile("ultrasound").querySelector(".cover"));
  expect(tile("ultrasound").querySelector("video")).toBe(before);
});

test("a paused picture is covered, says so, and cannot be looked into", () => {
  show(roomWith(["theatre"]));
  change({ tracks: [track("t-theatre", { feed: "theatre", paused: true })] });
  expect(button("paused").dataset["opaque"]).toBe("true");
  expect(button("paused").textContent).toContain("The site paused picture and sound");
  expect(tile("theatre").querySelector(".zoom-controls")).toBeNull();
});

test("a picture this browser cannot decode says what helps", () => {
  show(roomWith(["theatre"], { unsupported: new Map([["t-theatre", "H264"]]) }));
  act(() => {
    client.monitor.publish();
  });
  expect(tile("theatre").textContent).toContain("This browser cannot show H264 video");
  expect(tile("theatre").textContent).toContain("Open this room in Chrome");
});

test("a picture that left keeps its place, covered", () => {
  show(roomWith(["endoscope", "theatre", "ultrasound"]));
  const before = order();
  change({
    tracks: store.get().tracks.filter(({ feed }) => feed !== "theatre"),
    departed: [{ feed: "theatre", participantId: "box", sinceMs: performance.now() }],
  });
  expect(order()).toEqual(before);
  expect(tile("theatre").textContent).toContain("Reconnecting");
});

test("a face that switched its camera off says so instead of showing its last frame", () => {
  const li = person("li", { name: "Nurse Li" });
  const camera = track("c", { feed: "li", source: "camera", participant_id: "li", muted: true });
  show(roomWith([], { tracks: [camera], participants: [li] }));
  expect(tile("li").querySelector(".curtain")?.textContent).toBe("Camera off");
});

const layers = (layer: string | null, lowered: "network" | "source" | null) =>
  new Map([["t-theatre", { layer, lowered }]]);
const frame = () => {
  act(() => {
    client.monitor.frameShown("t-theatre", null, performance.now());
    client.monitor.publish();
  });
};

test("a picture the network has no room for hides behind words, and is read out", () => {
  show(roomWith(["theatre"], { receiving: "connected" }));
  frame();
  change({ layers: layers(null, "network") });
  frame();
  const curtain = tile("theatre").querySelector<HTMLElement>(".curtain");
  expect(curtain?.dataset["opaque"]).toBe("true");
  expect(curtain?.textContent).toContain("Paused: your network is slow");
  expect(tile("theatre").textContent).not.toContain("delay");
  expect(document.querySelector('[data-testid="lowered-words"]')?.textContent).toBe(
    "Paused, because your network is slow: theatre.",
  );
});

test.each([
  ["network", "Smaller picture: your network is slow"],
  ["source", "The site sends a smaller picture"],
] as const)("under a picture made smaller by the %s it says so, until it no longer is", (why, said) => {
  show(roomWith(["theatre"], { receiving: "connected", layers: layers("q", why) }));
  frame();
  const caption = () => tile("theatre").querySelector(".caption")?.textContent ?? "";
  expect(caption()).toContain(said);
  expect(tile("theatre").querySelector(".curtain")).toBeNull();
  change({ layers: layers("f", null) });
  frame();
  expect(caption()).not.toContain(said);
});

test("new readings draw their own words, not the stage and not the tile", () => {
  show(roomWith(["theatre", "ultrasound"]));
  const tileBefore = tile("theatre");
  act(() => {
    client.monitor.frameShown("t-theatre", null, performance.now());
  });
  expect(tile("theatre")).toBe(tileBefore);
  expect(tile("theatre").dataset["status"]).toBe("live");
  drawn = 0;
  act(() => {
    const { feeds, speaking } = client.monitor.readings.get();
    const reading = feeds.get("t-theatre") ?? expect.fail();
    client.monitor.readings.set({
      feeds: new Map([...feeds, ["t-theatre", { ...reading, ageMs: 83 }]]),
      speaking,
    });
  });
  expect(tile("theatre").textContent).toContain("delay 83 ms");
  expect(drawn).toBe(1);
});

test("a wall of more than sixteen is turned page by page", () => {
  show(roomWith(Array.from({ length: 18 }, (_, n) => `feed-${String(n).padStart(2, "0")}`)));
  wall();
  expect(order()).toHaveLength(16);
  click(button("wall-next"));
  expect(order()).toEqual(["feed-16", "feed-17"]);
  expect(document.querySelector(".wall-pages")?.textContent).toContain("Pictures 17–18 of 18");
});

test("arranging by keyboard is announced, kept with Enter, undone with Escape, and remembered", () => {
  show(roomWith(["a", "b", "c"]));
  wall();
  const handle = button("move-c");
  click(handle);
  expect(words()).toContain("c is at place 3 of 3");
  key(handle, "ArrowLeft");
  expect(order()).toEqual(["a", "c", "b"]);
  expect(words()).toBe("c: place 2 of 3");
  key(handle, "Escape");
  expect(order()).toEqual(["a", "b", "c"]);
  click(handle);
  key(handle, "ArrowLeft");
  click(handle);
  expect(words()).toBe("c stays at place 2");
  act(() => {
    root.unmount();
  });
  root = createRoot(document.getElementById("root") ?? document.body);
  show(roomWith(["a", "b", "c"]));
  expect(stageNow().feeds.map((feed) => feed.id)).toEqual(["a", "c", "b"]);
});

test("a picked-up picture is put where one clicks, and nothing becomes large", () => {
  show(roomWith(["a", "b", "c"]));
  wall();
  click(button("move-c"));
  click(tile("a").querySelector(".cover"));
  expect(order()).toEqual(["c", "a", "b"]);
  expect(stageNow().view).toBe("wall");
});

test("somebody else at this browser has an order of their own", () => {
  window.localStorage.setItem("teleconsult.arrangement.u_me", '["b","a"]');
  show(roomWith(["a", "b"]));
  expect(stageNow().feeds.map((feed) => feed.id)).toEqual(["b", "a"]);
  change({ me: person("other", { person: "u_other" }) });
  expect(stageNow().feeds.map((feed) => feed.id)).toEqual(["a", "b"]);
});

test("the wall moves into its own window and comes back when that closes", () => {
  const other = document.implementation.createHTMLDocument();
  const listeners = new Map<string, () => void>();
  const popup = {
    document: other,
    closed: false,
    close: vi.fn(),
    addEventListener: (name: string, listener: () => void) => listeners.set(name, listener),
    removeEventListener: (name: string) => listeners.delete(name),
  };
  vi.stubGlobal("open", () => popup);
  show(roomWith(["a", "b", "c"]));
  click(button("open-wall"));
  expect(other.querySelectorAll(".tile")).toHaveLength(3);
  expect(other.documentElement.lang).toBe("en");
  expect(other.title).toContain("Screen wall");
  expect(order()).toEqual(["a"]);
  act(() => {
    listeners.get("pagehide")?.();
  });
  expect(order()).toEqual(["a", "b", "c"]);
});

test("the wall's window tells by its own clock when a picture stops, however slow the room's hidden one is", () => {
  const other = document.implementation.createHTMLDocument();
  const beats = new Map<number, () => void>();
  const view = Object.assign(Object.create(window) as Window, {
    setInterval: (beat: () => void) => beats.set(beats.size + 1, beat).size,
    clearInterval: (id: number) => beats.delete(id),
  });
  Object.defineProperty(other, "defaultView", { value: view });
  const popup = {
    document: other,
    close: vi.fn(),
    addEventListener: vi.fn(),
    removeEventListener: vi.fn(),
  };
  vi.stubGlobal("open", () => popup);
  show(roomWith(["a", "b"]));
  click(button("open-wall"));
  const clock = vi.spyOn(performance, "now");
  clock.mockReturnValue(10_000);
  const status = () => other.querySelector('[data-testid="feed-a"]')?.getAttribute("data-status");
  act(() => {
    client.monitor.frameShown("t-a", null, 10_000);
  });
  expect(status()).toBe("live");
  clock.mockReturnValue(11_250);
  act(() => {
    for (const beat of beats.values()) beat();
  });
  expect(status()).not.toBe("live");
  clock.mockRestore();
  act(() => {
    root.unmount();
  });
  expect(beats.size).toBe(0);
  root = createRoot(document.getElementById("root") ?? document.body);
});

test("the wall's window closes with the room", () => {
  const popup = {
    document: document.implementation.createHTMLDocument(),
    close: vi.fn(),
    addEventListener: vi.fn(),
    removeEventListener: vi.fn(),
  };
  vi.stubGlobal("open", () => popup);
  show(roomWith(["a", "b"]));
  click(button("open-wall"));
  act(() => {
    root.unmount();
  });
  expect(popup.close).toHaveBeenCalled();
  root = createRoot(document.getElementById("root") ?? document.body);
});

test("a browser that blocks the window is told what to allow", () => {
  vi.stubGlobal("open", () => null);
  show(roomWith(["a", "b"]));
  click(button("open-wall"));
  expect(document.body.textContent).toContain("Allow pop-ups for this page");
  expect(order()).toEqual(["a", "b"]);
});
