import { useEffect, useState } from "react";
import type { ArchivedDrawings } from "../drawings/archived";
import { marksOf, namesOf, type Mark, type RoomEvent } from "../events";
import type { Timeline } from "../player/timeline";
import type { ReplayWorker } from "../worker/helper";

export interface Marks {
  marks: readonly Mark[];
  /** Of people, by the feed of their voice. */
  names: ReadonlyMap<string, string>;
  loading: boolean;
  /** How many objects with events could not be read. */
  unreadable: number;
}

/** Objects asked for at a time, and how many are read between two looks at what there is. */
const AT_A_TIME = 4;
const SHOW_EVERY = 40;

/** The consultation's events, shown as they are read. Those about drawings go into `drawings`. */
export function useMarks(worker: ReplayWorker, timeline: Timeline, drawings: ArchivedDrawings): Marks {
  const [marks, setMarks] = useState<Marks>({ marks: [], names: new Map(), loading: true, unreadable: 0 });
  useEffect(() => {
    const stop = new AbortController();
    void readAll(worker, timeline, drawings, stop.signal, setMarks);
    return () => {
      stop.abort();
    };
  }, [worker, timeline, drawings]);
  return marks;
}

async function readAll(
  worker: ReplayWorker,
  timeline: Timeline,
  drawings: ArchivedDrawings,
  stop: AbortSignal,
  show: (marks: Marks) => void,
): Promise<void> {
  const events: RoomEvent[] = [];
  const stopped = () => stop.aborted;
  const read = (loading: boolean): Marks => ({
    marks: marksOf(events, drawings.events, timeline.epochUs),
    names: namesOf(events),
    loading,
    unreadable,
  });
  let unreadable = 0;
  for (let begin = 0; begin < timeline.events.length && !stopped(); begin += AT_A_TIME) {
    const asked = timeline.events
      .slice(begin, begin + AT_A_TIME)
      .map(({ object, sha256 }) =>
        worker.call("events", { path: object, sha256, epochUs: timeline.epochUs }),
      );
    for (const found of await Promise.allSettled(asked)) {
      if (found.status === "fulfilled") events.push(...found.value.filter((event) => !drawings.take(event)));
      else unreadable += 1;
    }
    if (begin % SHOW_EVERY === 0 && !stopped()) show(read(true));
  }
  if (!stopped()) show(read(false));
}
