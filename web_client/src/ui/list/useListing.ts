import { useEffect, useState } from "react";
import { listConsultations } from "../../api/calls";
import type { Session } from "../../api/session";
import { useStore } from "../hooks";
import { Lookout, type Listing } from "./listing";

const LOOK_EVERY_MS = 5_000;

/** The consultations, looked at every few seconds while the page is in front, and at once when it comes back. */
export function useListing(session: Session): [Listing, again: () => void] {
  const [lookout, setLookout] = useState<Lookout>(() => watch(session));
  useEffect(() => {
    const look = () => {
      if (document.visibilityState === "visible") void lookout.look();
    };
    look();
    const timer = setInterval(look, LOOK_EVERY_MS);
    document.addEventListener("visibilitychange", look);
    window.addEventListener("online", look);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", look);
      window.removeEventListener("online", look);
      lookout.stop();
    };
  }, [lookout]);
  const again = () => {
    setLookout(watch(session));
  };
  return [useStore(lookout.store), again];
}

const watch = (session: Session) => new Lookout((state) => listConsultations(session, state));
