import { useEffect, useRef } from "react";
import { useText } from "../../i18n/useText";
import type { Participant } from "../../protocol/messages";
import type { RoomClient } from "../../room/client";
import type { RoomState } from "../../room/state";
import { useKeptFocus } from "../useKeptFocus";
import { chime } from "./chime";

/** Hosts: who waits at the door. Stands among the notices, beside no picture, and rings quietly once per person. */
export function LobbyPanel({ client, state }: { client: RoomClient; state: RoomState }) {
  const { text } = useText();
  const waiting = state.host ? state.lobby : [];
  useKnockSound(waiting);
  const panel = useRef<HTMLElement>(null);
  useKeptFocus(panel);
  if (waiting.length === 0) return null;
  return (
    <section ref={panel} className="lobby" data-testid="lobby" aria-label={text.panels.lobby.title}>
      <ul>
        {waiting.map((one) => (
          <Entry
            key={one.participant_id}
            participant={one}
            client={client}
            disabled={state.link !== "joined"}
          />
        ))}
      </ul>
    </section>
  );
}

interface EntryProps {
  participant: Participant;
  client: RoomClient;
  disabled: boolean;
}

function Entry({ participant, client, disabled }: EntryProps) {
  const { text } = useText();
  const { lobby } = text.panels;
  const { name, organisation, participant_id } = participant;
  return (
    <li className="notice" data-testid="lobby-entry">
      <span>
        <strong>{lobby.waits(name)}</strong>
        {organisation !== "" && <span className="muted"> · {organisation}</span>}
      </span>
      <button
        type="button"
        className="primary"
        data-testid="admit"
        disabled={disabled}
        aria-label={lobby.admitNamed(name)}
        onClick={() => {
          client.say({ type: "admit", participant_id });
        }}
      >
        {lobby.admit}
      </button>
      <button
        type="button"
        data-testid="turn-away"
        disabled={disabled}
        aria-label={lobby.turnAwayNamed(name)}
        onClick={() => {
          client.say({ type: "turn_away", participant_id });
        }}
      >
        {lobby.turnAway}
      </button>
    </li>
  );
}

/** Once for everybody who comes; not again for those who wait since before a reconnection. */
function useKnockSound(waiting: readonly Participant[]): void {
  const known = useRef<ReadonlySet<string>>(new Set());
  useEffect(() => {
    const now = new Set(waiting.map((one) => one.participant_id));
    if ([...now].some((id) => !known.current.has(id))) chime();
    known.current = now;
  }, [waiting]);
}
