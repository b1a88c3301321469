import { useRef, useState } from "react";
import type { Dictionary } from "../../i18n/en";
import { useText } from "../../i18n/useText";
import type { RoomClient } from "../../room/client";
import { groupedPeople, isHuman, type Person, type PersonGroup } from "../../room/feeds";
import type { RoomState } from "../../room/state";
import { useKeptFocus } from "../useKeptFocus";
import { Ask } from "./Ask";
import { Panel } from "./Panel";
import { useSpeaking } from "./useReadings";

interface Props {
  client: RoomClient;
  state: RoomState;
  onClose: () => void;
}

/** Who is here, from where, and who can be heard and seen. Hosts may remove somebody. */
export function PeopleList({ client, state, onClose }: Props) {
  const { text } = useText();
  const speaking = useSpeaking(client.monitor);
  const [removing, setRemoving] = useState<PersonGroup | null>(null);
  const list = useRef<HTMLDivElement>(null);
  useKeptFocus(list);
  const everybody = groupedPeople(state);
  const people = everybody.filter(({ seats }) => isHuman(seats[0].participant));
  const machines = everybody.filter(({ seats }) => !isHuman(seats[0].participant));
  return (
    <Panel title={text.people.title} testId="people" onClose={onClose}>
      <div
        ref={list}
        className="people"
        role="group"
        aria-label={text.people.title}
        // A list that scrolls has to be reachable without a mouse.
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        tabIndex={0}
      >
        <ul>
          {people.map((group) => (
            <Row
              key={group.key}
              group={group}
              states={personStates(group, state, speaking, text)}
              onRemove={
                state.host && !group.isMe
                  ? () => {
                      setRemoving(group);
                    }
                  : null
              }
            />
          ))}
        </ul>
        {machines.length > 0 && (
          <>
            <h3>{text.people.machines}</h3>
            <ul>
              {machines.map((group) => (
                <Row key={group.key} group={group} states={[text.people.connected]} onRemove={null} />
              ))}
            </ul>
          </>
        )}
      </div>
      {removing !== null && (
        <AskRemove
          client={client}
          group={removing}
          onClose={() => {
            setRemoving(null);
          }}
        />
      )}
    </Panel>
  );
}

interface RowProps {
  group: PersonGroup;
  states: readonly string[];
  onRemove: (() => void) | null;
}

function Row({ group: { seats, isMe }, states, onRemove }: RowProps) {
  const { text } = useText();
  const { participant } = seats[0];
  return (
    <li>
      <span className="person-name">
        <bdi>{participant.name}</bdi>
        {isMe && <span className="muted"> ({text.people.you})</span>}
      </span>
      <bdi className="muted person-role">{whereWords(participant, seats.length, text)}</bdi>
      <span className="person-states">{states.join(" · ")}</span>
      {onRemove !== null && (
        <button
          type="button"
          className="quiet person-remove"
          data-testid={`remove-${participant.participant_id}`}
          aria-label={text.panels.people.removeNamed(participant.name)}
          onClick={onRemove}
        >
          {text.panels.people.remove}
        </button>
      )}
    </li>
  );
}

function AskRemove({ client, group, onClose }: Pick<Props, "client" | "onClose"> & { group: PersonGroup }) {
  const { text } = useText();
  const { people } = text.panels;
  const { name, guest } = group.seats[0].participant;
  return (
    <Ask
      question={people.removeAsk(name)}
      means={guest ? people.removeGuest : people.removeMember}
      yes={people.remove}
      onYes={() => {
        const said = group.seats.every(({ participant: { participant_id } }) =>
          client.say({ type: "remove", participant_id }),
        );
        return said ? null : text.panels.noConnection;
      }}
      onClose={onClose}
    />
  );
}

/** Role, whether host or guest, organisation, and in how many windows. Pure. */
export function whereWords(
  { role, host, guest, organisation }: Person["participant"],
  seats: number,
  text: Pick<Dictionary, "roles" | "panels">,
): string {
  const { people } = text.panels;
  return [
    guest ? people.guest : text.roles[role],
    host ? people.host : "",
    organisation,
    seats > 1 ? people.seats(seats) : "",
  ]
    .filter((part) => part !== "")
    .join(" · ");
}

/** Own state is known here first; the server's word about us may still be on its way. */
function ownDevices(
  seat: Person,
  { devices }: Pick<RoomState, "devices">,
): Pick<Person, "microphone" | "camera"> {
  if (!seat.isMe) return seat;
  const { microphone, camera } = devices;
  return {
    microphone: microphone.phase === "on" ? "on" : microphone.phase === "muted" ? "muted" : "none",
    camera: camera.phase === "on" ? "on" : "none",
  };
}

/** What a person does, over all their seats: they are heard when one of them is. Pure. */
export function personStates(
  { seats }: PersonGroup,
  state: Pick<RoomState, "devices" | "tracks">,
  speaking: ReadonlySet<string>,
  text: Dictionary,
): string[] {
  const own = seats.map((seat) => ownDevices(seat, state));
  const heard = (["on", "muted"] as const).find((one) => own.some(({ microphone }) => microphone === one));
  const speaks = seats.some(({ audioTrackId }) => audioTrackId !== null && speaking.has(audioTrackId));
  const ids = new Set(seats.map(({ participant }) => participant.participant_id));
  const shares = state.tracks.some(
    (track) => track.source === "screen" && !track.muted && ids.has(track.participant_id),
  );
  const words = { on: text.people.microphoneOn, muted: text.people.muted, none: text.people.listening };
  return [
    heard === "on" && speaks ? text.people.speaking : words[heard ?? "none"],
    ...(own.some(({ camera }) => camera === "on") ? [text.people.cameraOn] : []),
    ...(shares ? [text.panels.people.sharing] : []),
  ];
}
