import { useEffect, useState } from "react";
import { buildTimeline, type Timeline } from "../player/timeline";
import type { Decided } from "../format/verify";
import type { ReplayWorker } from "../worker/helper";
import { ReplayError, type OpenedArchive } from "../worker/protocol";
import { useReplayText } from "../words";
import { Stage } from "./Stage";
import type { Viewer } from "./Watermark";

type Opening =
  | { phase: "working" }
  | { phase: "problem"; code: string }
  | { phase: "open"; archive: OpenedArchive; timeline: Timeline };

interface Props {
  consultation: string;
  worker: ReplayWorker;
  me: Viewer;
}

/** Puts the replay on record, reads the archive, and shows it or says why not. */
export function OpenedReplay({ consultation, worker, me }: Props) {
  const words = useReplayText().opening;
  const [attempt, setAttempt] = useState(0);
  const opening = useOpening(consultation, worker, attempt);
  if (opening.phase === "working") return <p role="status">{words.working}</p>;
  if (opening.phase === "problem") {
    return (
      <Problem
        code={opening.code}
        again={() => {
          setAttempt(attempt + 1);
        }}
      />
    );
  }
  const { archive, timeline } = opening;
  return (
    <>
      {archive.fault !== null && (
        <p className="hint-box" data-kind="problem" role="alert" data-testid="replay-damaged">
          {words.damaged(archive.fault.entry, archive.fault.reason)}
        </p>
      )}
      <Opened archive={archive} timeline={timeline} worker={worker} me={me} />
    </>
  );
}

function useOpening(consultation: string, worker: ReplayWorker, attempt: number): Opening {
  const [found, setFound] = useState<{ attempt: number; opening: Opening } | null>(null);
  useEffect(() => {
    let stopped = false;
    const show = (opening: Opening) => {
      if (!stopped) setFound({ attempt, opening });
    };
    worker.call("open", { consultation }).then(
      (archive) => {
        show({ phase: "open", archive, timeline: buildTimeline(archive.entries) });
      },
      (error: unknown) => {
        show({ phase: "problem", code: error instanceof ReplayError ? error.code : "failed" });
      },
    );
    return () => {
      stopped = true;
    };
  }, [consultation, worker, attempt]);
  return found?.attempt === attempt ? found.opening : { phase: "working" };
}

/** Pictures, or that there are none. */
function Playable({ timeline, worker, me }: { timeline: Timeline; worker: ReplayWorker; me: Viewer }) {
  const words = useReplayText().opening;
  if (timeline.tracks.length === 0 && timeline.events.length === 0) {
    return <p className="empty">{words.nothing}</p>;
  }
  return <Stage timeline={timeline} worker={worker} me={me} />;
}

function Problem({ code, again }: { code: string; again: () => void }) {
  const words = useReplayText().opening;
  const told: Partial<Record<string, string>> = {
    unreachable: words.unreachable,
    refused: words.refused,
    missing: words.missing,
  };
  return (
    <div className="hint-box" data-kind="problem" role="alert" data-testid="replay-problem" data-code={code}>
      <p>{told[code] ?? words.failed}</p>
      <button type="button" onClick={again}>
        {words.again}
      </button>
    </div>
  );
}

interface OpenedProps {
  archive: OpenedArchive;
  timeline: Timeline;
  worker: ReplayWorker;
  me: Viewer;
}

/** What can be shown of it, or why nothing can. */
export function Opened({ archive, timeline, worker, me }: OpenedProps) {
  const { key, decided } = archive;
  if (key === "opens") return <Playable timeline={timeline} worker={worker} me={me} />;
  if (key === "closed") return <WrongKey timeline={timeline} decided={decided} />;
  return <NoKey state={key} decided={decided} />;
}

/** Destroyed by decision, missing, or another one: what is so is said below, where it is verified. */
function NoKey({ state, decided }: { state: "gone" | "swapped"; decided: Decided | null }) {
  const { opening: words, verify } = useReplayText();
  const destroyed = state === "gone" && decided?.shredded != null;
  return (
    <div className="hint-box" data-destroyed={destroyed}>
      <h2>{destroyed ? words.destroyed : state === "gone" ? words.keyGone : verify.verdicts.altered}</h2>
      <p>{destroyed ? words.destroyedBody : state === "gone" ? words.keyGoneBody : words.otherKey}</p>
    </div>
  );
}

/** Whose keys would open it: those of entry 0, or since it was wrapped anew. */
function WrongKey({ timeline, decided = null }: { timeline: Timeline; decided?: Decided | null }) {
  const words = useReplayText().opening;
  const custodians = decided?.rewrapped?.custodians ?? timeline.custodians;
  return (
    <div className="hint-box" data-testid="replay-wrong-key">
      <h2>{words.wrongKey}</h2>
      <p>{words.wrongKeyBody}</p>
      <ul className="replay-custodians">
        {custodians.map((one) => (
          <li key={one.recipient}>
            <strong>{one.custodian}</strong> {one.offline && <span className="muted">({words.offline})</span>}
          </li>
        ))}
      </ul>
    </div>
  );
}
