import { useEffect, useState } from "react";
import type { Me, Session } from "../../api/session";
import { useText } from "../../i18n/useText";
import { Store } from "../../room/store";
import { PageFrame } from "../../ui/PageFrame";
import { SaveHeads } from "../../ui/SaveHeads";
import { useTitle } from "../../ui/hooks";
import type { Verdict } from "../format/auditor";
import { startReplayWorker } from "../worker/start";
import { useReplayText } from "../words";
import { ArchiveList } from "./ArchiveList";
import { KeyGate } from "./KeyGate";
import { OpenedReplay } from "./OpenedReplay";
import { VerifyPanel } from "./VerifyPanel";
import { useKey } from "./useKey";
import "./replay.css";

interface Props {
  session: Session;
  me: Me;
  onSignOut: () => void;
  /** Null: none is chosen yet. */
  consultation: string | null;
}

/** What was found in this window, by consultation. */
export type Verdicts = ReadonlyMap<string, Verdict>;

/** The auditor's pages: consultations beside the one that is replayed. */
export default function ReplayApp({ session, me, onSignOut, consultation }: Props) {
  const { text } = useText();
  const words = useReplayText();
  const [verdicts] = useState(() => new Store<Verdicts>(new Map()));
  const [startWorker] = useState(() => () => startReplayWorker((refused) => session.bearer(refused)));
  const [worker] = useState(startWorker);
  useEffect(
    () => () => {
      worker.end();
    },
    [worker],
  );
  const key = useKey(worker, me.user_id);
  useTitle(`${words.title} · ${text.productName}`);
  return (
    <PageFrame me={me} onSignOut={onSignOut} width="full">
      <div className="replay" data-chosen={consultation !== null}>
        <ArchiveList session={session} chosen={consultation} verdicts={verdicts} />
        <section className="replay-main" aria-live="off">
          {consultation === null ? <Choose /> : <h1 className="unseen">{words.replay}</h1>}
          <KeyGate state={key} compact={key.phase === "unlocked"} />
          {consultation !== null && (
            <div className="replay-opened" key={consultation}>
              {key.phase === "unlocked" && (
                <OpenedReplay consultation={consultation} worker={worker} me={me} />
              )}
              <VerifyPanel startWorker={startWorker} consultation={consultation} verdicts={verdicts} />
              <SaveHeads />
            </div>
          )}
        </section>
      </div>
    </PageFrame>
  );
}

function Choose() {
  const words = useReplayText();
  return (
    <div className="replay-choose" data-testid="replay-choose">
      <h1>{words.choose.title}</h1>
      <p className="muted">{words.choose.body}</p>
    </div>
  );
}
