// @vitest-environment happy-dom
import { act, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ApiError } from "../../api/http";
import type { Session } from "../../api/session";
import { LanguageChoice } from "../../i18n/language";
import { TextProvider } from "../../i18n/useText";
import { preferences } from "../../media/preferences";
import type { ClientMessage } from "../../protocol/messages";
import { ChatDesk } from "../../room/chatDesk";
import type { RoomClient } from "../../room/client";
import { FILE_MAX_BYTES } from "../../room/fileRules";
import { entry, person, welcome } from "../../room/fixtures";
import { initialState, type RoomState } from "../../room/state";
import { Store } from "../../room/store";
import { ChatAnnouncer } from "./chat/ChatAnnouncer";
import { ChatButton } from "./chat/ChatButton";
import { ChatPanel } from "./chat/ChatPanel";
import { ConsentBadge } from "./ConsentBadge";
import { InviteDialog } from "./InviteDialog";
import { LobbyPanel } from "./LobbyPanel";
import { PauseBanner, PauseButton } from "./PauseBanner";
import { PeopleList } from "./PeopleList";
import { TalkButton } from "./TalkButton";

const me = person("me", { person: "u_me", name: "Dr Wang" });
let root: Root;
let said: ClientMessage[];

/** What the panels need of a stay. */
function clientOf(state: RoomState): RoomClient {
  const chat = new ChatDesk(() => "ref-1");
  chat.attach({ say: (message) => said.push(message) > 0, upload: () => new Promise(() => undefined) });
  chat.joined(me, []);
  return {
    chat,
    store: new Store(state),
    monitor: { readings: new Store({ feeds: new Map(), speaking: new Set() }) },
    clock: { roughServerTimeUs: () => 65_000_000 },
    say: (message: ClientMessage) => said.push(message) > 0,
    setPaused: (paused: boolean) => said.push({ type: "set_paused", paused }),
  } as unknown as RoomClient;
}

const roomState = (over: Partial<RoomState> = {}): RoomState => ({
  ...initialState("demo"),
  link: "joined",
  me,
  participants: [me],
  consultation: welcome().consultation,
  ...over,
});

beforeEach(() => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  document.body.innerHTML = '<div id="root"></div>';
  root = createRoot(document.getElementById("root") ?? document.body);
  said = [];
});
afterEach(() => {
  act(() => {
    root.unmount();
  });
  vi.unstubAllGlobals();
});

function show(children: ReactNode): void {
  const choice = new LanguageChoice(window.localStorage, ["en"]);
  act(() => {
    root.render(<TextProvider choice={choice}>{children}</TextProvider>);
  });
}

const find = (id: string) => document.querySelector<HTMLElement>(`[data-testid="${id}"]`);
const at = (id: string) => find(id) ?? expect.fail(`no ${id}`);
async function click(id: string): Promise<void> {
  await act(async () => {
    at(id).click();
    await Promise.resolve();
  });
}

const nothing = () => undefined;

test("a script in a name or a message is shown as what it is: text", () => {
  const evil = "<img src=x onerror=alert(1)><script>alert(1)</script>";
  const state = roomState({ chat: [entry("1", { name: evil, text: evil, organisation: evil })] });
  show(<ChatPanel client={clientOf(state)} state={state} onClose={nothing} />);
  expect(at("chat-entry").textContent).toContain(evil);
  expect(document.querySelector("script, img")).toBeNull();
});

test("Enter sends what was written; it is shown as sending until everybody sees it", async () => {
  const state = roomState();
  const client = clientOf(state);
  show(<ChatPanel client={client} state={state} onClose={nothing} />);
  act(() => {
    client.chat.draft.set("tilt the probe");
  });
  await act(async () => {
    at("chat-input").dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
    await Promise.resolve();
  });
  expect(said).toMatchObject([{ type: "chat", ref: "ref-1", text: "tilt the probe" }]);
  expect(at("chat-outgoing").dataset["state"]).toBe("sending");
  act(() => {
    client.chat.added(entry("1", { ref: "ref-1", person: "u_me" }));
  });
  expect(find("chat-outgoing")).toBeNull();
});

test("a file that is too large is refused before anything is sent", () => {
  const state = roomState();
  const client = clientOf(state);
  show(<ChatPanel client={client} state={state} onClose={nothing} />);
  const file = new File(["x"], "film.avi");
  Object.defineProperty(file, "size", { value: FILE_MAX_BYTES + 1 });
  Object.defineProperty(at("chat-file"), "files", { value: [file] });
  act(() => {
    at("chat-file").dispatchEvent(new Event("change", { bubbles: true }));
  });
  expect(at("file-refused").textContent).toBe("film.avi is larger than 50 MB and was not added.");
  expect(client.chat.chosen.get()).toEqual([]);
});

test("what others write is announced, one's own words are not", () => {
  show(<ChatAnnouncer state={roomState({ latestChat: entry("1", { name: "Li", text: "hello" }) })} />);
  expect(at("chat-announcer").textContent).toBe("Li: hello");
  expect(at("chat-announcer").getAttribute("role")).toBe("status");
  show(<ChatAnnouncer state={roomState({ latestChat: entry("2", { person: "u_me" }) })} />);
  expect(at("chat-announcer").textContent).toBe("");
});

test("the button counts what is new and says it in words", () => {
  const state = roomState({ chat: [entry("1"), entry("2")] });
  show(<ChatButton client={clientOf(state)} state={state} shown={false} onToggle={nothing} />);
  expect(at("show-chat").textContent).toBe("Chat22 new messages");
  show(<ChatButton client={clientOf(state)} state={state} shown onToggle={nothing} />);
  expect(at("show-chat").dataset["unread"]).toBe("0");
});

test("hosts let in and turn away; others see nobody at the door", async () => {
  const lobby = [person("g1", { name: "Dr Zhao", guest: true })];
  const state = roomState({ host: true, lobby });
  show(<LobbyPanel client={clientOf(state)} state={state} />);
  expect(at("lobby-entry").textContent).toContain("Dr Zhao waits to be let in");
  await click("admit");
  await click("turn-away");
  expect(said.map(({ type }) => type)).toEqual(["admit", "turn_away"]);
  show(<LobbyPanel client={clientOf(state)} state={{ ...state, host: false }} />);
  expect(find("lobby")).toBeNull();
});

test("removing asks once, and takes every seat of that person", async () => {
  const seats = ["li", "li-2"].map((id) => person(id, { person: "u_li", name: "Li" }));
  const state = roomState({ host: true, participants: [me, ...seats] });
  show(<PeopleList client={clientOf(state)} state={state} onClose={nothing} />);
  await click("remove-li");
  expect(said).toEqual([]);
  await click("confirm");
  expect(said).toEqual([
    { type: "remove", participant_id: "li" },
    { type: "remove", participant_id: "li-2" },
  ]);
  expect(find("remove-me")).toBeNull();
});

test("people who are no hosts cannot remove anybody", () => {
  const state = roomState({ participants: [me, person("li")] });
  show(<PeopleList client={clientOf(state)} state={state} onClose={nothing} />);
  expect(find("remove-li")).toBeNull();
});

test("the banner says who paused and for how long; only hosts have the button", async () => {
  const consultation = { ...welcome().consultation, paused: true };
  const state = roomState({ consultation, pausedBy: "Li", pausedSinceUs: 5_000_000 });
  show(<PauseBanner client={clientOf(state)} state={state} />);
  expect(at("paused-banner").textContent).toContain("Privacy pause by Li.For 60 s.");
  show(<PauseButton client={clientOf(state)} state={state} />);
  expect(find("pause")).toBeNull();
  show(<PauseButton client={clientOf(state)} state={{ ...state, host: true }} />);
  await click("pause");
  expect(said).toEqual([{ type: "set_paused", paused: false }]);
});

test("withdrawing the consent asks once and says that it is for good", async () => {
  const state = roomState({ host: true });
  show(<ConsentBadge client={clientOf(state)} state={state} />);
  await click("consent-toggle");
  expect(at("ask").textContent).toContain("for good");
  await click("confirm");
  expect(said).toEqual([{ type: "set_consent", record: false }]);
  const withdrawn = {
    ...state,
    consultation: { ...welcome().consultation, consent: { consult: true, record: false } },
  };
  show(<ConsentBadge client={clientOf(withdrawn)} state={withdrawn} />);
  expect(at("consent").textContent).toBe("No consent to record");
  expect(find("consent-toggle")).toBeNull();
});

function invitations(answer: () => Promise<unknown>) {
  const asked: { path: string; body: unknown }[] = [];
  const session = {
    request: (path: string, call?: { method?: string; body?: unknown }) => {
      if (call?.method !== "POST") return Promise.resolve([]);
      asked.push({ path, body: call.body });
      return answer();
    },
  } as unknown as Session;
  return { session, asked };
}

async function submitInvitation(name: string): Promise<void> {
  (at("invite-name") as HTMLInputElement).value = name;
  await click("invite-create");
  await act(async () => {
    await Promise.resolve();
  });
}

test("an invitation is made with what was written, and its link is shown", async () => {
  const made = { invitation_id: "i", url: "https://h.example/#/invite/secret", expires_at_us: 0 };
  const { session, asked } = invitations(() => Promise.resolve(made));
  show(<InviteDialog session={session} consultationId="c_1" onClose={nothing} />);
  await submitInvitation(" Dr Zhao ");
  expect(asked).toEqual([
    {
      path: "/consultations/c_1/invitations",
      body: { name: "Dr Zhao", organisation: "", lobby: true, minutes: 1440 },
    },
  ]);
  expect((at("invite-url") as HTMLInputElement).value).toBe(made.url);
});

test("an invitation without a name, or that the server refuses, says what to do", async () => {
  const { session, asked } = invitations(() => Promise.reject(new ApiError(409, "closed", "it is over")));
  show(<InviteDialog session={session} consultationId="c_1" onClose={nothing} />);
  await submitInvitation("");
  expect(asked).toEqual([]);
  expect(at("invite-dialog").textContent).toContain("Enter the guest's name.");
  await submitInvitation("Dr Zhao");
  expect(at("invite-dialog").textContent).toContain("That did not work: it is over (closed). Try again.");
});

test("the focus goes to the link that was made, and back to the name for another guest", async () => {
  const made = { invitation_id: "i", url: "https://h.example/#/invite/secret", expires_at_us: 0 };
  const { session } = invitations(() => Promise.resolve(made));
  show(<InviteDialog session={session} consultationId="c_1" onClose={nothing} />);
  await submitInvitation("Dr Zhao");
  expect(document.activeElement).toBe(at("invite-url"));
  await click("invite-another");
  expect(document.activeElement).toBe(at("invite-name"));
});

test("when the one who was admitted leaves the list, the keyboard stays in it, and goes to the page's main part after the last", () => {
  document.body.insertAdjacentHTML("beforeend", "<main></main>");
  const lobby = [person("g1", { name: "Guest 1" }), person("g2", { name: "Guest 2" })];
  const state = roomState({ host: true, lobby });
  const client = clientOf(state);
  show(<LobbyPanel client={client} state={state} />);
  at("admit").focus();
  show(<LobbyPanel client={client} state={{ ...state, lobby: lobby.slice(1) }} />);
  expect(document.activeElement).toBe(at("lobby"));
  at("admit").focus();
  show(<LobbyPanel client={client} state={{ ...state, lobby: [] }} />);
  expect(document.activeElement).toBe(document.querySelector("main"));
});

test("a microphone held open under a finger closes when the page is hidden", () => {
  const set = vi.fn();
  const client = { own: { set, toggle: vi.fn() } } as unknown as RoomClient;
  preferences.update({ talkMode: "hold" });
  show(<TalkButton client={client} device={{ ...initialState("demo").devices.microphone, phase: "off" }} />);
  at("mic").setPointerCapture = nothing;
  act(() => {
    at("mic").dispatchEvent(new PointerEvent("pointerdown", { bubbles: true, button: 0 }));
  });
  expect(set).toHaveBeenLastCalledWith("microphone", true);
  act(() => {
    window.dispatchEvent(new Event("pagehide"));
  });
  expect(set).toHaveBeenLastCalledWith("microphone", false);
  preferences.update({ talkMode: "toggle" });
});
