import { use, useEffect, useId, useRef } from "react";
import { useText } from "../../../i18n/useText";
import type { Control } from "../../../protocol/messages";
import type { ControlDesk } from "../../../room/control/controlDesk";
import { useStore } from "../../hooks";
import { useKeptFocus } from "../../useKeptFocus";
import { chime } from "../chime";
import { EndControl, SeenButton, TimeLeft } from "./ControlBar";
import { ControlContext, endWords, problemWords, whoWords } from "./useControl";
import "./control.css";

interface ItemProps {
  control: Control;
  desk: ControlDesk;
}

/** `large`: the feed whose bar is in sight, where whoever controls can stop; null: none. */
export function ControlNotices({ large }: { large: string | null }) {
  const desk = use(ControlContext);
  return desk === null ? null : <Notices desk={desk} large={large} />;
}

/** Hosts decide here, beside no picture; and whatever is active can be stopped here, whichever picture is large. */
function Notices({ desk, large }: { desk: ControlDesk; large: string | null }) {
  const { text } = useText();
  const { now, ended, problem } = useStore(desk.store);
  const panel = useRef<HTMLElement>(null);
  useKeptFocus(panel);
  const all = [...now.values()].filter((control) => desk.hosts || desk.isMine(control));
  const shown = all.filter(
    ({ stage, feed }) => (stage === "active" && feed !== large) || (desk.hosts && stage !== "active"),
  );
  const over = desk.hosts ? [...ended.values()].filter(({ control }) => !desk.isMine(control)) : [];
  useAskedSound(desk.hosts ? shown : []);
  if (shown.length + over.length === 0) return null;
  return (
    <section ref={panel} className="lobby control-notices" aria-label={text.control.title}>
      <ul>
        {shown.map((control) => (
          <Item key={control.control_id} control={control} desk={desk} />
        ))}
        {over.map((end) => (
          <li key={end.control.control_id} className="notice" data-testid="control-ended">
            <span role="status">
              <strong>{text.control.over(end.control.name, end.control.feed)}</strong> {endWords(end, text)}
            </span>
            <SeenButton desk={desk} feed={end.control.feed} />
          </li>
        ))}
      </ul>
      {desk.hosts && problem !== null && (
        <p role="status" className="problem">
          {problemWords(problem, text)}
        </p>
      )}
    </section>
  );
}

/** What a host can do about a control as far as it is: decide; confirm it at the box; stop it. */
function Item({ control, desk }: ItemProps) {
  const { text } = useText();
  const words = text.control;
  const { stage, ways, feed } = control;
  const title = { asked: words.asks, granted: words.confirm, active: words.controlsFeed }[stage];
  return (
    <li className="notice" data-testid={`control-notice-${stage}`}>
      <span>
        <strong role="status">{title(whoWords(control, text), feed)}</strong>{" "}
        <TimeLeft control={control} desk={desk} />
      </span>
      {stage === "asked" &&
        desk.minutesFor(control).map((minutes) => (
          <button
            key={minutes}
            type="button"
            data-testid={`grant-${minutes}`}
            onClick={() => {
              desk.grant(control, minutes);
            }}
          >
            {words.allow(minutes)}
          </button>
        ))}
      {stage === "granted" && (
        <>
          <p className="control-ways">{ways.map((way) => words.ways[way]).join(words.or)}</p>
          {ways.includes("code") && <CodeField control={control} desk={desk} />}
        </>
      )}
      <EndControl control={control} desk={desk} mine={false} />
    </li>
  );
}

function CodeField({ control, desk }: ItemProps) {
  const words = useText().text.control;
  const problem = useId();
  return (
    <form
      className="control-code"
      onSubmit={(event) => {
        event.preventDefault();
        const form = event.currentTarget;
        const code = new FormData(form).get("code");
        if (typeof code === "string") desk.confirm(control, code.replaceAll(/\s/g, ""));
        form.reset();
      }}
    >
      <label>
        {words.code}
        <input
          name="code"
          data-testid="control-code"
          inputMode="numeric"
          autoComplete="off"
          pattern="\s*(\d\s*){6}"
          maxLength={12}
          size={8}
          required
          title={words.ways.code}
          aria-describedby={problem}
        />
      </label>
      <button type="submit" className="primary" data-testid="check-code">
        {words.check}
      </button>
      <span id={problem} role="status" className="problem">
        {control.tries_left < 3 && `${words.wrongCode} ${words.triesLeft(control.tries_left)}`}
      </span>
    </form>
  );
}

/** Once for every request. */
function useAskedSound(shown: readonly Control[]): void {
  const known = useRef<ReadonlySet<string>>(new Set());
  useEffect(() => {
    const asked = shown.filter(({ stage }) => stage === "asked").map((control) => control.control_id);
    if (asked.some((id) => !known.current.has(id))) chime();
    known.current = new Set(asked);
  }, [shown]);
}
