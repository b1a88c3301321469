import { lazy, Suspense, useCallback, useEffect } from "react";
import type { Account, Me, Session, Visit } from "../api/session";
import { useText } from "../i18n/useText";
import { ConsultationsPage } from "./ConsultationsPage";
import { GoodbyePage } from "./GoodbyePage";
import { PageFrame } from "./PageFrame";
import { RestoringPage } from "./RestoringPage";
import { SignInPage } from "./SignInPage";
import { WrongPage } from "./WrongPage";
import { BoxesPage } from "./admin/BoxesPage";
import { RoomEntry } from "./entry/RoomEntry";
import { StayMark } from "./entry/stay";
import { FormPage } from "./form/FormPage";
import { clearOpinion } from "../room/opinionDesk";
import { clearDraft } from "./form/draft";
import { useFocusOnNavigation, useStore } from "./hooks";
import { InvitePage } from "./invite/InvitePage";
import type { InviteToken } from "./invite/inviteToken";
import { goTo, hashOf, useRoute, type Route } from "./route";
import { SettingsPage } from "./settings/SettingsPage";

const RETRY_MS = 3_000;

/** Goes on with a session that survived a reload; keeps trying while the server is out of reach. */
function useRestoring(session: Session, restoring: boolean): void {
  useEffect(() => {
    if (!restoring) return;
    const restore = () => void session.restore();
    restore();
    const timer = setInterval(restore, RETRY_MS);
    window.addEventListener("online", restore);
    return () => {
      clearInterval(timer);
      window.removeEventListener("online", restore);
    };
  }, [session, restoring]);
}

/** Whoever uses this tab next passes the devices' page, and does not find what was typed. */
function useTidyTab(account: Account): void {
  useEffect(() => {
    if (account.phase !== "signed-out") return;
    new StayMark(window.sessionStorage).leave();
    if (account.why === "expired") return;
    clearDraft(window.sessionStorage);
    clearOpinion(window.sessionStorage);
  }, [account]);
}

export function App({ session, invite }: { session: Session; invite: InviteToken }) {
  const account = useStore(session.account);
  const route = useRoute();
  useRestoring(session, account.phase === "restoring");
  useTidyTab(account);
  useFocusOnNavigation(`${account.phase} ${route.page === "unknown" ? "" : hashOf(route)}`);

  if (account.phase === "restoring") {
    return <RestoringPage session={session} unreachable={account.unreachable} />;
  }
  if (route.page === "invite") {
    return <InvitePage session={session} invite={invite} account={account} />;
  }
  if (account.phase === "in") {
    return account.visit === null ? (
      <MemberPages session={session} me={account.me} route={route} />
    ) : (
      <GuestPages session={session} visit={account.visit} route={route} />
    );
  }
  if (account.visit !== null) {
    return <GoodbyePage session={session} visit={account.visit} over={account.why} />;
  }
  return <SignInPage session={session} why={account.why} returning={route.page !== "list"} />;
}

const toList = () => {
  goTo({ page: "list" });
};

function MemberPages({ session, me, route }: { session: Session; me: Me; route: Route }) {
  const { text } = useText();
  const signOut = useCallback(() => {
    session.signOut();
  }, [session]);
  const frame = { me, onSignOut: signOut };
  if (route.page === "settings") return <SettingsPage session={session} {...frame} />;
  if (me.role === "auditor") return <Archive session={session} {...frame} route={route} />;
  if (me.role === "admin") return <BoxesPage session={session} {...frame} />;
  // Devices and services have no password to sign in with.
  if (me.role !== "specialist" && me.role !== "site")
    return <WrongPage {...frame} words={text.pages.noSuchPage} />;
  const siteOnly = route.page === "new" || route.page === "site";
  if (siteOnly && me.role !== "site") return <WrongPage {...frame} words={text.pages.siteOnly} />;
  switch (route.page) {
    case "new":
      return <FormPage session={session} {...frame} />;
    case "room":
    case "site":
      return (
        <RoomEntry
          key={route.room}
          session={session}
          visit={null}
          room={route.room}
          layout={route.page === "site" ? "onsite" : "consult"}
          onLeave={toList}
          onSignedOut={signOut}
        />
      );
    case "list":
      return <ConsultationsPage session={session} {...frame} />;
    case "replay":
    case "invite":
    case "unknown":
      return <WrongPage {...frame} words={text.pages.noSuchPage} />;
  }
}

/** The replay is a part of the bundle of its own: only auditors load it. */
const ReplayApp = lazy(() => import("../replay/view/ReplayApp"));

interface ArchiveProps {
  session: Session;
  me: Me;
  onSignOut: () => void;
  route: Route;
}

function Archive({ session, me, onSignOut, route }: ArchiveProps) {
  const { text } = useText();
  if (route.page !== "list" && route.page !== "replay") {
    return <WrongPage me={me} onSignOut={onSignOut} words={text.pages.noSuchPage} />;
  }
  const consultation = route.page === "replay" ? route.consultation : null;
  return (
    <Suspense
      fallback={
        <PageFrame me={me} onSignOut={onSignOut}>
          <p role="status">{text.loading}</p>
        </PageFrame>
      }
    >
      <ReplayApp session={session} me={me} onSignOut={onSignOut} consultation={consultation} />
    </Suspense>
  );
}

/** A guest has one room, and nothing else to see. */
function GuestPages({ session, visit, route }: { session: Session; visit: Visit; route: Route }) {
  const signOut = useCallback(() => {
    session.signOut();
  }, [session]);
  if ((route.page !== "room" && route.page !== "site") || route.room !== visit.room) {
    return <GoodbyePage session={session} visit={visit} over={false} />;
  }
  return (
    <RoomEntry
      key={visit.room}
      session={session}
      visit={visit}
      room={visit.room}
      layout={route.page === "site" ? "onsite" : "consult"}
      onLeave={toList}
      onSignedOut={signOut}
    />
  );
}
