import type {
  ClientMessage,
  Control,
  ControlChanged,
  Pressed,
  ServerMessage,
  TrackInfo,
} from "../../protocol/messages";
import { Store } from "../store";
import { PressLine, type PressLineParts } from "./pressLine";

export type ControlEnd = NonNullable<ControlChanged["reason"]>;

/** How the last control of a feed ended. `reason` null: this page was not told. */
export interface EndedControl {
  control: Control;
  reason: ControlEnd | null;
  /** Whose act it was, by name; empty when nobody's. */
  by: string;
}

export interface Controls {
  /** By feed. */
  now: ReadonlyMap<string, Control>;
  ended: ReadonlyMap<string, EndedControl>;
  /** Why the server refused what this person did last; its code. */
  problem: string | null;
}

export const NO_CONTROLS: Controls = { now: new Map(), ended: new Map(), problem: null };

export interface ControlDeskParts extends Omit<PressLineParts, "say"> {
  /** False when the room is away. */
  say: (message: ClientMessage) => boolean;
  /** Server's Unix µs, also while the room is away; null before its first word. */
  serverTimeUs: () => number | null;
  tracks: () => readonly TrackInfo[];
}

/** Refusals that say that there is no such control any more. */
const IS_OVER = /^control_(?:not_found|over)$/;
/** What hosts can choose from. */
const MINUTES = [5, 15];
/** What belongs to who acted themselves: they need not be told. */
const OWN_ACTS: ReadonlySet<string | null> = new Set(["refused", "withdrawn", "stopped"]);
const ABOUT = /^(?:(?:ask|grant|confirm|end)_control|press)$/;

/** Remote control of devices in one stay: who asks, who controls, how it ended; and what this person presses. */
export class ControlDesk {
  readonly store = new Store<Controls>(NO_CONTROLS);
  private me = "";
  private isHost = false;
  private mayAct = false;
  private readonly ended = new Set<string>();
  /** What was last acted on, by each kind of message: a refusal names only that kind. */
  private readonly actedOn = new Map<string, string>();
  private line: { is: PressLine; controlId: string } | null = null;

  constructor(private readonly parts: ControlDeskParts) {}

  get hosts(): boolean {
    return this.isHost;
  }

  /** Those who give advice ask; the people beside the device use their hands. */
  get asks(): boolean {
    return this.mayAct;
  }

  isMine({ participant_id: id }: Control): boolean {
    return id === this.me;
  }

  serverTimeUs(): number | null {
    return this.parts.serverTimeUs();
  }

  /** For how long a host can grant it: no longer than its box allows. */
  minutesFor({ feed }: Control): readonly number[] {
    const pictures = this.parts.tracks().filter((track) => track.feed === feed);
    const most = pictures.map((track) => track.control_minutes);
    return [...new Set(MINUTES.map((minutes) => Math.min(minutes, ...most)))];
  }

  /** Where keys and pointer of this feed go; null: this person does not control it. */
  lineOf(feed: string): PressLine | null {
    const control = this.store.get().now.get(feed);
    return control !== undefined && control.control_id === this.line?.controlId ? this.line.is : null;
  }

  ask(feed: string): void {
    this.tell({ type: "ask_control", feed });
  }

  grant({ control_id }: Control, minutes: number): void {
    this.tell({ type: "grant_control", control_id, minutes });
  }

  confirm({ control_id }: Control, code: string): void {
    this.tell({ type: "confirm_control", control_id, code });
  }

  /** Refused, taken back, or stopped; said again when the room is away. From here nothing more is pressed. */
  end({ control_id }: Control): void {
    this.ended.add(control_id);
    if (this.line?.controlId === control_id) {
      this.line.is.letGo();
      this.drop();
    }
    this.tell({ type: "end_control", control_id });
  }

  /** Read. */
  forget(feed: string): void {
    this.set({ ended: without(this.store.get().ended, feed), problem: null });
  }

  /** The room is away: nothing is held any more. */
  away(): void {
    this.line?.is.letGo();
  }

  /** Nothing is told any more. */
  close(): void {
    this.line?.is.close();
    this.line = null;
  }

  received(message: ServerMessage): void {
    if (message.type === "welcome") this.joined(message);
    else if (message.type === "control_changed") this.changed(message);
    else if (message.type === "error" && ABOUT.test(message.about ?? "")) this.refused(message);
  }

  private refused({ about, code }: Extract<ServerMessage, { type: "error" }>): void {
    if (IS_OVER.test(code)) this.lost(this.actedOn.get(about ?? ""));
    else if (about !== "press") this.set({ problem: code });
  }

  /** The server knows of no such control: it is not shown any more, whether or not its end is still to be told. */
  private lost(controlId: string | undefined): void {
    const control = [...this.store.get().now.values()].find(({ control_id: id }) => id === controlId);
    if (control !== undefined) this.over(control, null, "");
  }

  private joined({ participant, host, controls }: Extract<ServerMessage, { type: "welcome" }>): void {
    const { now, ended } = this.store.get();
    const there = new Set(controls.map((control) => control.control_id));
    const lost = [...now.values()].filter((control) => !there.has(control.control_id));
    this.me = participant.participant_id;
    this.isHost = host;
    this.mayAct = participant.role === "specialist";
    this.set({
      problem: null,
      now: new Map(controls.map((control) => [control.feed, control])),
      ended: lost.reduce((all, control) => this.withEnd(all, { control, reason: null, by: "" }), ended),
    });
    for (const control of controls) if (this.ended.has(control.control_id)) this.end(control);
    this.follow();
  }

  private changed({ feed, control_id, control, reason, by }: ControlChanged): void {
    const { now, ended } = this.store.get();
    const before = now.get(feed) ?? ended.get(feed)?.control;
    if (control !== null) {
      this.set({ now: new Map(now).set(feed, control), ended: without(ended, feed) });
      this.follow();
    } else if (before?.control_id === control_id) this.over(before, reason, by);
  }

  private over(control: Control, reason: ControlEnd | null, by: string): void {
    const { now, ended } = this.store.get();
    this.set({ now: without(now, control.feed), ended: this.withEnd(ended, { control, reason, by }) });
    this.follow();
  }

  private withEnd(all: Controls["ended"], end: EndedControl): Controls["ended"] {
    const { control, reason } = end;
    const own = this.ended.delete(control.control_id) && OWN_ACTS.has(reason);
    if (own || !(this.isHost || this.isMine(control))) return all;
    return new Map(all).set(control.feed, end);
  }

  /** Keys and pointer go to the one device that this person controls. */
  private follow(): void {
    const active = [...this.store.get().now.values()].find(
      (control) => control.stage === "active" && this.isMine(control) && !this.ended.has(control.control_id),
    );
    if (active?.control_id === this.line?.controlId) return;
    this.drop();
    if (active === undefined) return;
    const { control_id } = active;
    const say: PressLineParts["say"] = (pressed) => this.press(control_id, pressed);
    this.line = { is: new PressLine({ ...this.parts, say }), controlId: control_id };
    this.set({});
  }

  /** With its time: what a network holds back is not to be pressed later. Without the server's clock nothing is. */
  private press(control_id: string, pressed: Pressed): boolean {
    const nowUs = this.serverTimeUs();
    if (nowUs === null) return false;
    return this.send({ type: "press", control_id, pressed, said_us: Math.round(nowUs) });
  }

  private drop(): void {
    if (this.line === null) return;
    this.close();
    this.set({});
  }

  private tell(message: ClientMessage): void {
    this.set({ problem: this.send(message) ? null : "away" });
  }

  private send(message: ClientMessage): boolean {
    if ("control_id" in message) this.actedOn.set(message.type, message.control_id);
    return this.parts.say(message);
  }

  private set(over: Partial<Controls>): void {
    this.store.set({ ...this.store.get(), ...over });
  }
}

function without<Value>(map: ReadonlyMap<string, Value>, key: string): ReadonlyMap<string, Value> {
  const rest = new Map(map);
  rest.delete(key);
  return rest;
}
