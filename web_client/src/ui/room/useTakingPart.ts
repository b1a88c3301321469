import { useCallback } from "react";
import { listAttached, listDevices, listOrganisations, listTakingPart } from "../../api/calls";
import type { Session } from "../../api/session";
import type { Device, Organisation } from "../../api/types";
import { useLookup, type Lookup } from "../useLookup";

/** What could take part in a consultation, and the ids of what does. */
export interface TakingPart {
  organisations: readonly Organisation[];
  devices: readonly Device[];
  within: ReadonlySet<string>;
}

export function useTakingPart(session: Session, consultationId: string): Lookup<TakingPart> {
  return useLookup(useCallback(() => find(session, consultationId), [session, consultationId]));
}

async function find(session: Session, consultationId: string): Promise<TakingPart> {
  const [organisations, part, devices, attached] = await Promise.all([
    listOrganisations(session),
    listTakingPart(session, consultationId),
    listDevices(session),
    listAttached(session, consultationId),
  ]);
  const ids = [...part.map(({ organisation_id: id }) => id), ...attached.map(({ device_id: id }) => id)];
  return { organisations, devices, within: new Set(ids) };
}
