import { useEffect, useState } from "react";
import type { Session } from "../../api/session";
import { DrawingContext } from "../../annotation/context";
import { FreezeContext } from "../../annotation/freeze/context";
import { useText } from "../../i18n/useText";
import { RoomClient } from "../../room/client";
import { supportRoom } from "../../support";
import { useStore, useTitle } from "../hooks";
import { OnSiteRoom } from "../onsite/OnSiteRoom";
import { ChatAnnouncer } from "./chat/ChatAnnouncer";
import { ControlContext } from "./control/useControl";
import { ConsultRoom } from "./ConsultRoom";
import { EndedPage } from "./EndedPage";
import { RoomSound } from "./RoomSound";
import { WaitingPage } from "./WaitingPage";

export type Layout = "consult" | "onsite";

interface Props {
  session: Session;
  room: string;
  layout?: Layout;
  /** Came by an invitation. */
  guest?: boolean;
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

function Stay(props: Props & { onAgain: () => void }) {
  const { session, room, layout = "consult", guest = false, onLeave, onSignedOut, onAgain } = props;
  const { text } = useText();
  const client = useRoomClient(session, room);
  const state = useStore(client.store);
  const title = state.consultation?.header ?? "";
  useTitle(title === "" ? text.productName : `${text.room.title(title)} · ${text.productName}`);
  if (state.ending) {
    return (
      <EndedPage
        ending={state.ending}
        guest={guest || (state.me?.guest ?? false)}
        onList={onLeave}
        onRetry={onAgain}
        onSignIn={onSignedOut}
      />
    );
  }
  if (state.waiting) return <WaitingPage state={state} onLeave={onLeave} />;
  const stay = { client, session, state, onLeave };
  return (
    <DrawingContext value={client.media.drawings}>
      <FreezeContext value={client.media.freezing}>
        <ControlContext value={client.media.controlling}>
          {layout === "onsite" ? <OnSiteRoom {...stay} /> : <ConsultRoom {...stay} />}
        </ControlContext>
      </FreezeContext>
      <RoomSound client={client} state={state} />
      {/* On site the messages themselves are read out. */}
      {layout === "consult" && <ChatAnnouncer state={state} />}
    </DrawingContext>
  );
}
