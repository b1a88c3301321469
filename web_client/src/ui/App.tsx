import { useCallback, useEffect, useState } from "react";
import type { Me, Session } from "../api/session";
import { useText } from "../i18n/useText";
import { ConsultationsPage } from "./ConsultationsPage";
import { NoRoomsPage } from "./NoRoomsPage";
import { PageFrame } from "./PageFrame";
import { SignInPage } from "./SignInPage";
import { RoomPage } from "./room/RoomPage";
import { goToList, goToRoom, useRoomInHash } from "./route";

const RETRY_MS = 3_000;

type Account = { phase: "restoring"; failed: boolean } | { phase: "signed-out" } | { phase: "in"; me: Me };

/** Goes on with a session that survived a reload; keeps trying while the server is out of reach. */
function useAccount(session: Session) {
  const [account, setAccount] = useState<Account>({ phase: "restoring", failed: false });
  const restoring = account.phase === "restoring";
  useEffect(() => {
    if (!restoring) return;
    let left = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const restore = async () => {
      try {
        const me = await session.restore();
        if (!left) setAccount(me === null ? { phase: "signed-out" } : { phase: "in", me });
      } catch {
        if (left) return;
        setAccount({ phase: "restoring", failed: true });
        timer = setTimeout(() => void restore(), RETRY_MS);
      }
    };
    void restore();
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, [session, restoring]);
  return [account, setAccount] as const;
}

export function App({ session }: { session: Session }) {
  const { text } = useText();
  const [account, setAccount] = useAccount(session);
  const room = useRoomInHash();
  const signOut = useCallback(() => {
    session.signOut();
    setAccount({ phase: "signed-out" });
  }, [session, setAccount]);

  if (account.phase === "restoring") {
    return (
      <PageFrame>
        <p role="status">{account.failed ? text.signIn.restoreFailed : text.loading}</p>
      </PageFrame>
    );
  }
  if (account.phase === "signed-out") {
    const signedIn = (me: Me) => {
      setAccount({ phase: "in", me });
    };
    return <SignInPage session={session} onSignedIn={signedIn} />;
  }
  const { me } = account;
  if (me.role !== "specialist" && me.role !== "site") return <NoRoomsPage me={me} onSignOut={signOut} />;
  if (room === null) {
    return <ConsultationsPage session={session} me={me} onJoin={goToRoom} onSignOut={signOut} />;
  }
  return <RoomPage key={room} session={session} room={room} onLeave={goToList} onSignedOut={signOut} />;
}
