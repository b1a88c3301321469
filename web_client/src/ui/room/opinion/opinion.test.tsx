// @vitest-environment happy-dom
import { act, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { fakeStorage } from "../../../api/fakeServer";
import { LanguageChoice } from "../../../i18n/language";
import { TextProvider } from "../../../i18n/useText";
import type { ClientMessage, Opinion } from "../../../protocol/messages";
import type { RoomClient } from "../../../room/client";
import { person, welcome } from "../../../room/fixtures";
import { HostWishes } from "../../../room/hostWishes";
import { OpinionDesk } from "../../../room/opinionDesk";
import { initialState, type RoomState } from "../../../room/state";
import { Store } from "../../../room/store";
import { RecordControl } from "../RecordControl";
import { OpinionButton } from "./OpinionButton";
import { OpinionPanel } from "./OpinionPanel";

const me = person("me", { person: "u_me", name: "Dr Wang" });
const filed: Opinion = {
  opinion_id: "o_1",
  ref: "r0",
  person: "u_me",
  name: "Dr Wang",
  organisation: "University Hospital",
  text: "Mild <b>regurgitation</b>",
  at_us: 1_760_000_000_000_000,
};
let root: Root;
let said: ClientMessage[];
let client: RoomClient;

beforeEach(() => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  document.body.innerHTML = '<div id="root"></div>';
  root = createRoot(document.getElementById("root") ?? document.body);
  said = [];
  const opinion = new OpinionDesk({
    tab: fakeStorage(),
    newRef: () => "r1",
    later: () => undefined,
    say: (message) => said.push(message) > 0,
  });
  opinion.joined(me, "c_1", []);
  client = {
    opinion,
    hosting: new HostWishes(new Store(initialState("demo")), (message) => said.push(message) > 0),
  } as unknown as RoomClient;
});
afterEach(() => {
  act(() => {
    root.unmount();
  });
  vi.unstubAllGlobals();
});

const roomState = (over: Partial<RoomState> = {}): RoomState => ({
  ...initialState("demo"),
  link: "joined",
  me,
  participants: [me],
  consultation: welcome().consultation,
  ...over,
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
const panel = (over: Partial<RoomState> = {}) => (
  <OpinionPanel client={client} state={roomState(over)} onClose={() => undefined} />
);

test("a specialist files what was written after one question; meanwhile it cannot be changed", async () => {
  show(panel());
  expect((at("opinion-file") as HTMLButtonElement).disabled).toBe(true);
  act(() => {
    client.opinion.edit("Mild");
  });
  await click("opinion-file");
  expect(at("ask").textContent).toContain("cannot be changed");
  await click("cancel");
  expect(said).toEqual([]);
  await click("opinion-file");
  await click("confirm");
  expect(said).toEqual([{ type: "write_opinion", ref: "r1", text: "Mild" }]);
  expect((at("opinion-input") as HTMLTextAreaElement).readOnly).toBe(true);
});

test("what is filed is shown as text, with whose it is, and locked; what follows is an addendum", () => {
  show(panel({ opinions: [filed] }));
  expect(at("opinion").textContent).toContain("Mild <b>regurgitation</b>");
  expect(at("opinion").textContent).toContain("Dr Wang · University Hospital");
  expect(at("opinion").textContent).toContain("nobody can change it");
  expect(at("opinion").querySelector("textarea, input, b")).toBeNull();
  expect(at("opinion-file").textContent).toBe("File the addendum…");
});

test("why it was not filed is said in words", () => {
  client.opinion.edit("Mild");
  client.opinion.file();
  client.opinion.refused("too_many");
  show(panel());
  expect(at("opinion-refused").textContent).toContain("as many opinions as it can hold");
  act(() => {
    client.opinion.file();
    client.opinion.refused("something_new");
  });
  expect(at("opinion-refused").textContent).toContain("something_new");
});

test("the site reads, and does not write", () => {
  show(panel({ me: { ...me, role: "site" } }));
  expect(find("opinion-input")).toBeNull();
  expect(at("opinion-panel").textContent).toContain("A specialist writes it");
});

test("the button says how many are filed", () => {
  show(<OpinionButton state={{ opinions: [filed] }} shown={false} onToggle={() => undefined} />);
  expect(at("show-opinion").textContent).toContain("1 opinion is filed");
});

test("a host stops recording after one question that says what it means", async () => {
  show(<RecordControl client={client} state={roomState({ host: true })} />);
  await click("record-toggle");
  expect(at("ask-record").textContent).toContain("nothing is archived");
  await click("confirm");
  expect(said).toEqual([{ type: "set_record", record: false, consent: false }]);
});

test("without the patient's consent recording begins only when the host says that they agreed now", async () => {
  const { consultation } = welcome();
  const without = { ...consultation, record: false, consent: { consult: true, record: false } };
  show(<RecordControl client={client} state={roomState({ host: true, consultation: without })} />);
  await click("record-toggle");
  expect((at("confirm") as HTMLButtonElement).disabled).toBe(true);
  await click("record-agreed");
  await click("confirm");
  expect(said).toEqual([{ type: "set_record", record: true, consent: true }]);
});

test("why it was refused stands beside the question; nobody else has the button", async () => {
  show(<RecordControl client={client} state={roomState({ host: true })} />);
  await click("record-toggle");
  show(<RecordControl client={client} state={roomState({ host: true, recordProblem: "log_unavailable" })} />);
  expect(at("ask-record").textContent).toContain("The log cannot be written");
  show(<RecordControl client={client} state={roomState()} />);
  expect(find("record-toggle")).toBeNull();
});
