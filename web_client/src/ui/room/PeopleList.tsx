import type { Dictionary } from "../../i18n/en";
import { useText } from "../../i18n/useText";
import { isHuman, peopleOf, type Person } from "../../room/feeds";
import type { RoomState } from "../../room/state";

interface Props {
  state: RoomState;
  speaking: ReadonlySet<string>;
}

/** Who is here, and who can be heard and seen. */
export function PeopleList({ state, speaking }: Props) {
  const { text } = useText();
  const everybody = peopleOf(state);
  const people = everybody.filter(({ participant }) => isHuman(participant));
  const machines = everybody.filter(({ participant }) => !isHuman(participant));
  return (
    <aside className="people" aria-label={text.people.title} data-testid="people">
      <h2>{text.people.title}</h2>
      <ul>
        {people.map((person) => (
          <Row
            key={person.participant.participant_id}
            person={person}
            states={states(person, state, speaking, text)}
          />
        ))}
      </ul>
      {machines.length > 0 && (
        <>
          <h2>{text.people.machines}</h2>
          <ul>
            {machines.map((person) => (
              <Row key={person.participant.participant_id} person={person} states={[text.people.connected]} />
            ))}
          </ul>
        </>
      )}
    </aside>
  );
}

function Row({ person: { participant, isMe }, states }: { person: Person; states: readonly string[] }) {
  const { text } = useText();
  const role = text.roles[participant.role];
  const where = participant.organisation ? `${role} · ${participant.organisation}` : role;
  return (
    <li>
      <span className="person-name">
        {participant.name}
        {isMe && <span className="muted"> ({text.people.you})</span>}
      </span>
      <span className="muted person-role">{where}</span>
      <span className="person-states">{states.join(" · ")}</span>
    </li>
  );
}

/** Own state is known here first; the server's word about us may still be on its way. */
function ownDevices(person: Person, { devices }: RoomState): Pick<Person, "microphone" | "camera"> {
  if (!person.isMe) return person;
  const { microphone, camera } = devices;
  return {
    microphone: microphone.phase === "on" ? "on" : microphone.phase === "muted" ? "muted" : "none",
    camera: camera.phase === "on" ? "on" : "none",
  };
}

function states(person: Person, state: RoomState, speaking: ReadonlySet<string>, text: Dictionary): string[] {
  const { microphone, camera } = ownDevices(person, state);
  const speaks = microphone === "on" && person.audioTrackId !== null && speaking.has(person.audioTrackId);
  const heard = { on: text.people.microphoneOn, muted: text.people.muted, none: text.people.listening };
  return [
    speaks ? text.people.speaking : heard[microphone],
    ...(camera === "on" ? [text.people.cameraOn] : []),
  ];
}
