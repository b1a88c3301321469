import { useCallback, useEffect, useState } from "react";
import { ArchivedDrawings } from "../drawings/archived";
import { ReplayPlayer } from "../player/replayPlayer";
import type { Load } from "../player/sourceFeeder";
import type { Timeline } from "../player/timeline";
import { installReplaySupport } from "../support";
import type { ReplayWorker } from "../worker/helper";
import type { WantedPiece } from "../worker/protocol";
import { Controls } from "./Controls";
import { EventList } from "./EventList";
import { TimelineView } from "./TimelineView";
import { Wall } from "./Wall";
import type { Viewer } from "./Watermark";
import { useMarks } from "./useMarks";
import { useReplayKeys } from "./useReplayKeys";

interface Props {
  timeline: Timeline;
  worker: ReplayWorker;
  me: Viewer;
}

/** Pictures, controls, timeline and events of one consultation. */
export function Stage({ timeline, worker, me }: Props) {
  const load = useCallback<Load>((path, sha256) => worker.call("object", { path, sha256 }), [worker]);
  const [player] = useState(
    () =>
      new ReplayPlayer(timeline, load, (wanted, stop) =>
        worker.call("pieces", { wanted: wanted.map(pieceOf) }, stop),
      ),
  );
  const [drawings] = useState(() => new ArchivedDrawings(timeline.epochUs));
  const [drawn, setDrawn] = useState(true);
  const events = useMarks(worker, timeline, drawings);
  const switchDrawings = useCallback(() => {
    setDrawn((is) => !is);
  }, []);
  useVoices(player);
  useEffect(() => {
    player.start();
    const uninstall = installReplaySupport(window, player);
    return () => {
      uninstall();
      player.stop();
    };
  }, [player]);
  useReplayKeys(player, switchDrawings);
  return (
    <div className="replay-stage" data-testid="replay-stage">
      <Wall player={player} me={me} load={load} drawings={drawings} drawn={drawn} />
      <Controls player={player} drawn={drawn} onDrawn={switchDrawings} />
      <TimelineView player={player} marks={events.marks} names={events.names} />
      <EventList player={player} events={events} />
    </div>
  );
}

/** What the worker needs to know of a piece. */
const pieceOf = ({ track, generation, number, object, sha256, size }: WantedPiece): WantedPiece => ({
  track,
  generation,
  number,
  object,
  sha256,
  size,
});

/** Sound needs no place on the page: one element per voice. */
function useVoices(player: ReplayPlayer): void {
  useEffect(() => {
    const voices = player.players
      .filter(({ track }) => track.media === "audio")
      .map(({ track }) => {
        const element = new Audio();
        player.attach(track.name, element);
        return element;
      });
    const quieten = () => {
      for (const voice of voices) voice.muted = player.isMuted;
    };
    quieten();
    return player.store.subscribe(quieten);
  }, [player]);
}
