import { useCallback, useEffect, useMemo, useState } from "react";
import type { Session } from "../../api/session";
import { useText } from "../../i18n/useText";
import { RoomClient } from "../../room/client";
import { feedsOf, focusedFeed, peopleOf, type Feed } from "../../room/feeds";
import type { RoomState } from "../../room/state";
import { supportRoom } from "../../support";
import { useStore, useTitle } from "../hooks";
import { Controls, type View } from "./Controls";
import { EndedPage } from "./EndedPage";
import { KeysDialog } from "./KeysDialog";
import { Notices } from "./Notices";
import { PeopleList } from "./PeopleList";
import { RemoteAudio } from "./RemoteAudio";
import { RoomHeader } from "./RoomHeader";
import { Stage } from "./Stage";
import { toggleFullScreen } from "./fullScreen";
import { useRoomKeys } from "./useRoomKeys";

interface Props {
  session: Session;
  room: string;
  onLeave: () => void;
  onSignedOut: () => void;
}

/** One stay in a room. *Try again* begins another. */
export function RoomPage(props: Props) {
  const [stay, setStay] = useState(0);
  return (
    <Stay
      key={stay}
      {...props}
      onAgain={() => {
        setStay(stay + 1);
      }}
    />
  );
}

function useRoomClient(session: Session, room: string): RoomClient {
  const [client] = useState(() => new RoomClient(session, room));
  useEffect(() => {
    client.start();
    supportRoom(client);
    return () => {
      supportRoom(null);
      client.leave();
    };
  }, [client]);
  return client;
}

function Stay({ session, room, onLeave, onSignedOut, onAgain }: Props & { onAgain: () => void }) {
  const { text } = useText();
  const client = useRoomClient(session, room);
  const state = useStore(client.store);
  const title = state.consultation?.header ?? "";
  useTitle(title === "" ? text.productName : `${text.room.title(title)} · ${text.productName}`);
  if (state.ending) {
    return <EndedPage ending={state.ending} onList={onLeave} onRetry={onAgain} onSignIn={onSignedOut} />;
  }
  return <Room client={client} state={state} onLeave={onLeave} />;
}

/** Which picture is large: the chosen one; until somebody chooses, the first device picture, and it stays that. */
function useFocus(feeds: readonly Feed[]) {
  const [chosen, setChosen] = useState<string | null>(null);
  const [view, setView] = useState<View>("focus");
  const first = feeds.find((feed) => feed.kind === "device");
  if (chosen === null && first !== undefined) setChosen(first.id);
  const choose = useCallback((id: string) => {
    setChosen(id);
    setView("focus");
  }, []);
  return { focus: focusedFeed(feeds, chosen), choose, view, setView };
}

function Room({ client, state, onLeave }: { client: RoomClient; state: RoomState; onLeave: () => void }) {
  const readings = useStore(client.monitor.readings);
  const feeds = useMemo(() => feedsOf(state), [state]);
  const { focus, choose, view, setView } = useFocus(feeds);
  const [peopleShown, setPeopleShown] = useState(true);
  const [keysShown, setKeysShown] = useState(false);
  const [hearAttempt, setHearAttempt] = useState(0);
  const soundBlocked = useCallback(
    (blocked: boolean) => {
      client.soundBlocked(blocked);
    },
    [client],
  );
  const otherView: View = view === "focus" ? "wall" : "focus";
  useRoomKeys({
    isTalking: () => state.devices.microphone.phase === "on",
    talk: (on) => {
      client.own.set("microphone", on);
    },
    camera: () => {
      client.own.toggle("camera");
    },
    focusNumber: (index) => {
      const feed = feeds[index];
      if (feed) choose(feed.id);
    },
    wall: () => {
      setView(otherView);
    },
    fullScreen: () => {
      if (focus) toggleFullScreen(focus.id);
    },
    help: () => {
      setKeysShown(true);
    },
  });
  return (
    <div className="room" data-role={state.me?.role} data-link={state.link} data-testid="room">
      <RoomHeader client={client} state={state} />
      <Stage
        client={client}
        state={state}
        readings={readings}
        feeds={feeds}
        focus={focus}
        view={view}
        onFocus={choose}
        onFullScreen={toggleFullScreen}
      >
        {peopleShown && <PeopleList state={state} speaking={readings.speaking} />}
      </Stage>
      <Notices
        state={state}
        onHear={() => {
          setHearAttempt(hearAttempt + 1);
        }}
        onRetry={(source) => {
          client.own.set(source, true);
        }}
        onDismiss={(source) => {
          client.own.dismiss(source);
        }}
      />
      <Controls
        microphone={state.devices.microphone}
        camera={state.devices.camera}
        view={view}
        peopleShown={peopleShown}
        speakers={speakerNames(state, readings.speaking)}
        onToggle={(source) => {
          client.own.toggle(source);
        }}
        onView={setView}
        onPeople={() => {
          setPeopleShown(!peopleShown);
        }}
        onKeys={() => {
          setKeysShown(true);
        }}
        onLeave={onLeave}
      />
      <RemoteAudio audio={voices(state)} attempt={hearAttempt} onBlocked={soundBlocked} />
      {keysShown && (
        <KeysDialog
          onClose={() => {
            setKeysShown(false);
          }}
        />
      )}
    </div>
  );
}

function voices({ tracks, remote, me }: RoomState) {
  return tracks
    .filter((track) => track.kind === "audio" && track.participant_id !== me?.participant_id)
    .flatMap((track) => remote.get(track.track_id) ?? []);
}

function speakerNames(state: RoomState, speaking: ReadonlySet<string>): string[] {
  return peopleOf(state)
    .filter(({ audioTrackId }) => audioTrackId !== null && speaking.has(audioTrackId))
    .map(({ participant }) => participant.name);
}
