import { use, useId } from "react";
import { useText } from "../../../i18n/useText";
import type { Control } from "../../../protocol/messages";
import type { ControlDesk } from "../../../room/control/controlDesk";
import type { Feed } from "../../../room/feeds";
import { useStore } from "../../hooks";
import { ControlContext, endWords, problemWords, useControls, useTimeLeft, whoWords } from "./useControl";
import "./control.css";

/** Beside a large picture's other tools. */
export function AskControl({ feed, name }: { feed: Feed; name: string }) {
  const { text } = useText();
  const desk = use(ControlContext);
  const { now } = useControls();
  if (desk === null || !desk.asks || !feed.controllable || now.has(feed.id)) return null;
  return (
    <button
      type="button"
      className="quiet"
      data-testid="ask-control"
      aria-label={text.control.askOn(name)}
      onClick={() => {
        desk.ask(feed.id);
      }}
    >
      {text.control.ask}
    </button>
  );
}

/** What the key does: ask, and once this person controls the device, use it. */
export function askOrUse(desk: ControlDesk, feed: Feed): void {
  if (desk.lineOf(feed.id) !== null) surfaceIn(document.getElementById(`tile-${feed.id}`))?.focus();
  else if (desk.asks && feed.controllable && !desk.store.get().now.has(feed.id)) desk.ask(feed.id);
}

/** Under a small picture: that somebody else's hands are on the device. */
export function ControlledWords({ feedId }: { feedId: string }) {
  const { text } = useText();
  const control = useControls().now.get(feedId);
  if (control?.stage !== "active") return null;
  return <span className="feed-control">{text.control.short(control.name)}</span>;
}

/** Between a large picture and its caption: how far remote control of its device is. Never over the picture. */
export function ControlBar({ feed, usable }: { feed: Feed; usable: boolean }) {
  const desk = use(ControlContext);
  return desk === null ? null : <Bar feed={feed} desk={desk} usable={usable} />;
}

function Bar({ feed, desk, usable }: { feed: Feed; desk: ControlDesk; usable: boolean }) {
  const { text } = useText();
  const { now, ended, problem } = useStore(desk.store);
  const control = now.get(feed.id);
  const end = ended.get(feed.id);
  if (control !== undefined && (control.stage === "active" || desk.isMine(control))) {
    return <Going control={control} desk={desk} usable={usable} />;
  }
  const mine = end !== undefined && desk.isMine(end.control) ? endWords(end, text) : "";
  const refused = problem !== null && desk.asks && feed.controllable ? problemWords(problem, text) : "";
  if (mine === "" && refused === "") return null;
  return (
    <div className="control-bar" data-testid={`control-${feed.id}`} data-stage="ended">
      <span role="status">{refused || mine}</span>
      <SeenButton desk={desk} feed={feed.id} />
    </div>
  );
}

function Going({ control, desk, usable }: { control: Control; desk: ControlDesk; usable: boolean }) {
  const { text } = useText();
  const words = text.control;
  const mine = desk.isMine(control);
  const active = control.stage === "active";
  const said = active ? (mine ? words.mine : words.controls(whoWords(control, text))) : "";
  const waits = control.stage === "asked" ? words.waiting : words.confirming;
  return (
    <div className="control-bar" data-testid={`control-${control.feed}`} data-stage={control.stage}>
      <strong role="status">{active ? said : waits}</strong>
      <TimeLeft control={control} desk={desk} />
      {active && mine && usable && <UseButton />}
      {(mine || desk.hosts) && <EndControl control={control} desk={desk} mine={mine} />}
    </div>
  );
}

/** What is to be read has been read. */
export function SeenButton({ desk, feed }: { desk: ControlDesk; feed: string }) {
  return (
    <button
      type="button"
      data-testid="control-seen"
      onClick={() => {
        desk.forget(feed);
      }}
    >
      {useText().text.control.seen}
    </button>
  );
}

/** Stops what is active; before, the same is taken back by whose it is, and refused or cancelled by hosts. */
export function EndControl({ control, desk, mine }: { control: Control; desk: ControlDesk; mine: boolean }) {
  const words = useText().text.control;
  const { stage } = control;
  const before = mine ? "takeBack" : stage === "asked" ? "refuse" : "cancel";
  return (
    <button
      type="button"
      className={stage === "active" ? "danger" : ""}
      data-testid={stage === "active" ? "stop-control" : mine ? "take-back" : "refuse-control"}
      onClick={() => {
        desk.end(control);
      }}
    >
      {words[stage === "active" ? "stop" : before]}
    </button>
  );
}

/** A timer: seen, but not read out every second. */
export function TimeLeft({ control, desk }: { control: Control; desk: ControlDesk }) {
  const { text } = useText();
  const left = useTimeLeft(desk, control);
  if (left === null) return null;
  return (
    <span role="timer" className="tabular" aria-label={text.control.left(left)}>
      · {left}
    </span>
  );
}

/** The keyboard's way in; the words beside it say the way out, and are told with it. */
function UseButton() {
  const { control } = useText().text;
  const hint = useId();
  return (
    <>
      <span id={hint} className="control-hint">
        <span className="when-idle">{control.idle}</span>
        <span className="when-held">{control.held}</span>
      </span>
      <button
        type="button"
        data-testid="use-control"
        aria-describedby={hint}
        onClick={({ currentTarget }) => {
          surfaceIn(currentTarget.closest(".tile"))?.focus({ preventScroll: true });
        }}
      >
        {control.use}
      </button>
    </>
  );
}

const surfaceIn = (tile: Element | null) => tile?.querySelector<HTMLElement>(".control-surface") ?? null;
