import { useEffect, useState } from "react";
import type { Baked } from "../baked";
import { LocalFolder } from "../folder/localFolder";
import { compareMark, findMark, findShredding, type MarkFound, type Shredding } from "../worker/evidence";
import type { Chosen } from "./useFolder";

export interface Evidence {
  mark: MarkFound;
  /** Up to which entry the page vouches, as a count from 0. */
  entries: number;
  shredded: Shredding | null;
  hasManifest: boolean;
  hasKey: boolean;
}

/** What lies beside the chain; null while it is being read. Throws nothing: verification says what is wrong. */
export function useEvidence(chosen: Chosen, baked: Baked): Evidence | null {
  const [found, setFound] = useState<Evidence | null>(null);
  useEffect(() => {
    let stopped = false;
    const show = (evidence: Evidence) => {
      if (!stopped) setFound(evidence);
    };
    gather(chosen, baked).then(show, () => {
      show({ mark: "none", entries: 0, shredded: null, hasManifest: false, hasKey: false });
    });
    return () => {
      stopped = true;
    };
  }, [chosen, baked]);
  return found;
}

async function gather({ files, place }: Chosen, baked: Baked): Promise<Evidence> {
  const folder = new LocalFolder(files, place.prefix, baked);
  const [manifest, decisions] = await Promise.all([folder.manifest(), folder.decisions()]);
  const mark = findMark(manifest, place.name, baked.made_for);
  return {
    mark: await compareMark(manifest, mark),
    entries: mark === null ? 0 : mark.entries - 1,
    shredded: await findShredding(decisions, baked.signers),
    hasManifest: manifest !== null,
    hasKey: files.has(`${place.prefix}session.key.age`),
  };
}
