import { useCallback, useEffect, useState } from "react";
import { Store } from "../../room/store";
import { useStore } from "../../ui/hooks";
import { useReplayText } from "../../replay/words";
import { VerifyPanel } from "../../replay/view/VerifyPanel";
import type { Verdicts } from "../../replay/view/ReplayApp";
import type { Baked } from "../baked";
import { startFolderWorker } from "../start";
import { useCourtroomText } from "../words";
import { Notices } from "./Notices";
import { Opened } from "./Opened";
import { ViewerBar, ViewerForm } from "./ViewerForm";
import { useEvidence } from "./useEvidence";
import type { Chosen } from "./useFolder";
import { useViewer } from "./useViewer";

interface Props {
  chosen: Chosen;
  baked: Baked;
  makeWorker: () => Worker;
}

/** One consultation: whether it is genuine, and with a key what there is to see. */
export function Consultation({ chosen, baked, makeWorker }: Props) {
  const words = useCourtroomText();
  const { files, place } = chosen;
  const startWorker = useCallback(
    () => startFolderWorker(makeWorker(), files, place, baked),
    [makeWorker, files, place, baked],
  );
  const [worker] = useState(startWorker);
  useEffect(
    () => () => {
      worker.end();
    },
    [worker],
  );
  const [verdicts] = useState(() => new Store<Verdicts>(new Map()));
  const evidence = useEvidence(chosen, baked);
  const viewer = useViewer(worker);
  const playable = evidence?.hasManifest === true && evidence.hasKey;
  return (
    <div className="replay-opened" data-testid="consultation">
      <Verdict verdicts={verdicts} name={place.name} />
      {evidence !== null && <Notices evidence={evidence} />}
      {playable && viewer.viewer === null && <ViewerForm use={viewer} />}
      {playable && viewer.viewer !== null && (
        <>
          <ViewerBar use={viewer} />
          <Opened consultation={place.name} worker={worker} viewer={viewer.viewer} />
        </>
      )}
      <VerifyPanel startWorker={startWorker} consultation={place.name} verdicts={verdicts} own={words.own} />
    </div>
  );
}

/** In one line, above the pictures; the reasons stand below them. */
function Verdict({ verdicts, name }: { verdicts: Store<Verdicts>; name: string }) {
  const words = useReplayText();
  const verdict = useStore(verdicts).get(name);
  if (verdict === undefined) return null;
  return (
    <p>
      <strong className="replay-verdict" data-verdict={verdict} data-testid="verdict">
        {words.list.marks[verdict]}
      </strong>
    </p>
  );
}
