import { useCallback, useEffect, useState } from "react";

export interface Lookup<Value> {
  /** null: not known yet. */
  known: Value | null;
  failed: boolean;
  reload: () => void;
}

/** What `find` answers, looked up again when asked or when `find` is another one; what was known stays until then. */
export function useLookup<Value>(find: () => Promise<Value>): Lookup<Value> {
  const [known, setKnown] = useState<Value | null>(null);
  const [failed, setFailed] = useState(false);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let gone = false;
    find().then(
      (found) => {
        if (gone) return;
        setKnown(found);
        setFailed(false);
      },
      () => {
        if (!gone) setFailed(true);
      },
    );
    return () => {
      gone = true;
    };
  }, [find, turn]);
  const reload = useCallback(() => {
    setTurn((before) => before + 1);
  }, []);
  return { known, failed, reload };
}
