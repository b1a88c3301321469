import { useCallback, useEffect, useState } from "react";
import { listDevices, listOrganisations, retentionChoices } from "../../api/calls";
import { ApiError } from "../../api/http";
import type { Me, Session } from "../../api/session";
import type { Device, Organisation, RetentionChoices } from "../../api/types";

/** What can be chosen in the form. Null while it is loading. */
export interface Offered {
  devices: readonly Device[] | null;
  organisations: readonly Organisation[] | null;
  retention: RetentionChoices | null;
  failed: boolean;
  reload: () => void;
}

/** The site's boxes, the other organisations, how long archives can be kept. */
export function useOffered(session: Session, me: Me): Offered {
  const [devices, setDevices] = useState<readonly Device[] | null>(null);
  const [organisations, setOrganisations] = useState<readonly Organisation[] | null>(null);
  const [retention, setRetention] = useState<RetentionChoices | null>(null);
  const [failed, setFailed] = useState(false);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let left = false;
    const load = async () => {
      try {
        const [boxes, others, choices] = await Promise.all([
          listDevices(session),
          listOrganisations(session),
          retentionChoices(session),
        ]);
        if (left) return;
        setDevices(boxes);
        setOrganisations(others.filter(({ name }) => name !== me.organisation));
        setRetention(choices);
        setFailed(false);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (!left) setFailed(true);
      }
    };
    void load();
    return () => {
      left = true;
    };
  }, [session, me.organisation, turn]);
  const reload = useCallback(() => {
    setTurn((before) => before + 1);
  }, []);
  return { devices, organisations, retention, failed, reload };
}
