import { useEffect, useState } from "react";
import { listConsultations } from "../../api/calls";
import { ApiError } from "../../api/http";
import type { Session } from "../../api/session";
import type { Consultation } from "../../api/types";

/** What is known about a room before entering it. `unknown`: the list could not be had; entering may still work. */
export type Found = { phase: "looking" | "none" | "unknown" } | { phase: "open"; consultation: Consultation };

/** Looks the open consultation of `room` up, once. */
export function useConsultation(session: Session, room: string): Found {
  const [found, setFound] = useState<Found>({ phase: "looking" });
  useEffect(() => {
    let left = false;
    const look = async () => {
      const next = await find(session, room);
      if (!left) setFound(next);
    };
    void look();
    return () => {
      left = true;
    };
  }, [session, room]);
  return found;
}

async function find(session: Session, room: string): Promise<Found> {
  try {
    const open = await listConsultations(session, "open");
    const consultation = open.find((one) => one.room === room);
    return consultation ? { phase: "open", consultation } : { phase: "none" };
  } catch (error) {
    if (error instanceof ApiError) return { phase: "unknown" };
    throw error;
  }
}
