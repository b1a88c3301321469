import { useText } from "../../i18n/useText";
import type { RoomClient } from "../../room/client";
import { groupedPeople, isHuman, shownStatus, type Feed, type PersonGroup } from "../../room/feeds";
import type { RoomState } from "../../room/state";
import { Curtain } from "../room/Curtain";
import { RemoteVideo } from "../room/RemoteVideo";
import { useFeedStatus, useSpeaking } from "../room/useReadings";

interface Props {
  client: RoomClient;
  state: RoomState;
  feeds: readonly Feed[];
}

/** Who is there, by face or by name, and who speaks. */
export function Experts({ client, state, feeds }: Props) {
  const { text } = useText();
  const words = text.stage.onsite;
  const speaking = useSpeaking(client.monitor);
  const others = groupedPeople(state).filter(({ isMe, seats }) => !isMe && isHuman(seats[0].participant));
  return (
    <section
      className="onsite-experts"
      aria-label={words.experts}
      // It scrolls, so it can be focused and moved with the arrow keys.
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      data-own-keys
    >
      {others.length === 0 && (
        <div className="onsite-nobody">
          <p>{words.nobody}</p>
          <p className="muted">{words.nobodyHint}</p>
        </div>
      )}
      <ul>
        {others.map((person) => (
          <Expert
            key={person.key}
            person={person}
            speaks={person.seats.some(
              ({ audioTrackId }) => audioTrackId !== null && speaking.has(audioTrackId),
            )}
            client={client}
            state={state}
            feeds={feeds}
          />
        ))}
      </ul>
    </section>
  );
}

function Expert({ person, speaks, client, state, feeds }: Props & { person: PersonGroup; speaks: boolean }) {
  const { text } = useText();
  const [{ participant, microphone }] = person.seats;
  const ids = new Set(person.seats.map((seat) => seat.participant.participant_id));
  const face = feeds.find((feed) => feed.kind === "person" && ids.has(feed.participantId)) ?? null;
  const heard = {
    on: text.people.microphoneOn,
    muted: text.people.muted,
    none: text.stage.onsite.listening,
  }[microphone];
  return (
    <li className="expert" data-speaking={speaks} data-testid="expert">
      {face === null ? (
        <span className="expert-initial" aria-hidden="true">
          {initial(participant.name)}
        </span>
      ) : (
        <Face feed={face} client={client} state={state} />
      )}
      <span className="expert-words">
        <bdi className="expert-name">{participant.name}</bdi>
        <bdi className="muted">{participant.organisation || text.roles[participant.role]}</bdi>
        <span className="expert-state">{speaks ? text.stage.onsite.speaking : heard}</span>
      </span>
    </li>
  );
}

/** A whole character, whatever the script. */
function initial(name: string): string {
  return Array.from(name.replace(/^(Dr|Prof)\.?\s+/i, ""))[0] ?? "?";
}

function Face({ feed, client, state }: { feed: Feed; client: RoomClient; state: RoomState }) {
  const { monitor } = client;
  const { trackId } = feed;
  const reading = useFeedStatus(monitor, trackId);
  const status = shownStatus(feed, reading === null ? null : { status: reading });
  const remote = trackId === null ? undefined : state.remote.get(trackId);
  return (
    <div className="expert-face picture" data-status={status} data-testid={`feed-${feed.id}`}>
      {remote && (
        <RemoteVideo
          stream={remote.stream}
          monitor={monitor}
          trackId={remote.trackId}
          viewing={client.viewing}
        />
      )}
      {status !== "live" && (
        <Curtain
          monitor={monitor}
          feed={feed}
          status={status}
          codec={state.unsupported.get(trackId ?? "") ?? null}
        />
      )}
    </div>
  );
}
