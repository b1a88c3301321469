import type { Dictionary } from "../../i18n/en";
import { useText } from "../../i18n/useText";
import type { RoomClient } from "../../room/client";
import type { RoomState } from "../../room/state";
import { useNow } from "../hooks";
import { PauseIcon, ResumeIcon } from "./panelIcons";
import { spanWords } from "./spans";

interface Props {
  client: RoomClient;
  state: RoomState;
}

/** Tells everyone that picture and sound of the site are paused, by whom and for how long. */
export function PauseBanner({ client, state }: Props) {
  const { text } = useText();
  const { pause } = text.panels;
  if (!state.consultation?.paused) return null;
  return (
    <div className="paused-banner" data-testid="paused-banner" role="status">
      <PauseIcon />
      <strong>{state.pausedBy === "" ? pause.byUnknown : pause.by(state.pausedBy)}</strong>
      {state.pausedSinceUs !== null && <Since client={client} sinceUs={state.pausedSinceUs} />}
      <span>{pause.means}</span>
    </div>
  );
}

function Since({ client, sinceUs }: { client: RoomClient; sinceUs: number }) {
  const { text } = useText();
  const nowUs = client.clock.roughServerTimeUs(useNow(1000));
  if (nowUs === null) return null;
  const seconds = Math.max(0, Math.floor((nowUs - sinceUs) / 1_000_000));
  return (
    <span role="timer" className="tabular">
      {text.panels.pause.since(spanWords(seconds, text))}
    </span>
  );
}

/** Hosts have it under one finger always; everyone else has none. */
export function PauseButton({ client, state }: Props) {
  const { text } = useText();
  const { pause } = text.panels;
  if (!state.host) return null;
  const paused = state.consultation?.paused ?? false;
  const words = pauseWords(paused, state.pauseAsked, pause);
  return (
    <button
      type="button"
      className="pause"
      data-testid="pause"
      data-paused={paused}
      aria-pressed={paused}
      title={paused ? pause.resumeLong : pause.pauseLong}
      onClick={() => {
        client.setPaused(!(state.pauseAsked ?? paused));
      }}
    >
      {paused ? <ResumeIcon /> : <PauseIcon />}
      <span>{words}</span>
    </button>
  );
}

/** What the button says: what pressing it does, or what is on its way. Pure. */
export function pauseWords(
  paused: boolean,
  asked: boolean | null,
  words: Pick<Dictionary["panels"]["pause"], "pause" | "resume" | "pausing" | "resuming">,
): string {
  if (asked !== null && asked !== paused) return asked ? words.pausing : words.resuming;
  return paused ? words.resume : words.pause;
}
