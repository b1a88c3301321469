import { useEffect, useState } from "react";
import { buildTimeline, type Timeline } from "../../replay/player/timeline";
import { Opened as Shown } from "../../replay/view/OpenedReplay";
import type { Viewer } from "../../replay/view/Watermark";
import type { ReplayWorker } from "../../replay/worker/helper";
import type { OpenedArchive } from "../../replay/worker/protocol";
import { useReplayText } from "../../replay/words";
import { useCourtroomText } from "../words";
import { unplayable } from "./codecs";

type Opening =
  { phase: "working" } | { phase: "failed" } | { phase: "open"; archive: OpenedArchive; timeline: Timeline };

interface Props {
  consultation: string;
  worker: ReplayWorker;
  viewer: Viewer;
}

/** Reads the archive with the key, and shows it or says why not. */
export function Opened({ consultation, worker, viewer }: Props) {
  const words = useReplayText().opening;
  const own = useCourtroomText();
  const opening = useOpening(consultation, worker);
  if (opening.phase === "working") return <p role="status">{words.working}</p>;
  if (opening.phase === "failed") return <Alert kind="failed" text={own.opening.failed} />;
  const { archive, timeline } = opening;
  const { fault } = archive;
  const missing = unplayable(timeline);
  return (
    <>
      {fault !== null && <Alert kind="damaged" text={words.damaged(fault.entry, fault.reason)} />}
      {missing.length > 0 && <Alert kind="codec" text={own.noCodec(missing.join(", "))} />}
      <Shown archive={archive} timeline={timeline} worker={worker} me={viewer} />
    </>
  );
}

function Alert({ kind, text }: { kind: string; text: string }) {
  return (
    <p className="hint-box" data-kind="problem" role="alert" data-testid={`opened-${kind}`}>
      {text}
    </p>
  );
}

function useOpening(consultation: string, worker: ReplayWorker): Opening {
  const [opening, setOpening] = useState<Opening>({ phase: "working" });
  useEffect(() => {
    let stopped = false;
    const show = (next: Opening) => {
      if (!stopped) setOpening(next);
    };
    worker.call("open", { consultation }).then(
      (archive) => {
        show({ phase: "open", archive, timeline: buildTimeline(archive.entries) });
      },
      () => {
        show({ phase: "failed" });
      },
    );
    return () => {
      stopped = true;
    };
  }, [consultation, worker]);
  return opening;
}
