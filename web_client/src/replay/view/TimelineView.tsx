import { useMemo, useRef, type CSSProperties, type KeyboardEvent, type PointerEvent } from "react";
import { useStore } from "../../ui/hooks";
import { timeText } from "../format";
import type { Mark } from "../events";
import type { ReplayPlayer } from "../player/replayPlayer";
import { laneOf, voiceLanes, type LaneSpan } from "../player/timeline";
import { useReplayText } from "../words";

const SMALL_STEP_US = 5_000_000;
const LARGE_STEP_US = 60_000_000;
const SNAP_PX = 8;
/** Dragging seeks this often at most. */
const DRAG_EVERY_MS = 120;

interface Lane {
  name: string;
  spans: LaneSpan[];
}

interface Props {
  player: ReplayPlayer;
  marks: readonly Mark[];
  names: ReadonlyMap<string, string>;
}

/** One lane per feed, one per voice, one for events; drag or use the keys to go anywhere. */
export function TimelineView({ player, marks, names }: Props) {
  const words = useReplayText();
  const { timeline } = player;
  const lanes = useMemo(() => lanesOf(player, names, words.timeline.speech), [player, names, words]);
  return (
    <section className="replay-timeline" aria-label={words.timeline.label}>
      <div className="replay-lanes">
        {lanes.map((lane) => (
          <LaneRow key={lane.name} lane={lane} lengthUs={timeline.lengthUs} />
        ))}
        <div className="replay-lane">
          <span className="replay-lane-name">{words.timeline.marks}</span>
          <div className="replay-lane-track" data-lane="marks">
            {marks.map((mark, index) => (
              <i
                key={index}
                className="replay-mark"
                data-kind={mark.kind}
                style={{ left: percent(mark.atUs, timeline.lengthUs) }}
              />
            ))}
          </div>
        </div>
        <Slider player={player} marks={marks} laneCount={lanes.length + 1} />
      </div>
      <Legend />
    </section>
  );
}

function lanesOf(
  player: ReplayPlayer,
  names: ReadonlyMap<string, string>,
  speech: (name: string) => string,
): Lane[] {
  const { tracks, gaps } = player.timeline;
  const pictures = tracks.filter((track) => track.media === "video");
  const lanes = pictures.map((track) => ({ name: track.feed, track, spans: laneOf(track, gaps) }));
  const named = lanes.map(({ name, track, spans }) => {
    const twice = lanes.filter((lane) => lane.name === name).length > 1;
    return { name: twice ? `${name} · ${track.input}` : name, spans };
  });
  const voices = voiceLanes(tracks, (feed) => speech(names.get(feed) ?? feed));
  return [...named, ...voices];
}

function LaneRow({ lane, lengthUs }: { lane: Lane; lengthUs: number }) {
  const words = useReplayText().timeline;
  const recorded = lane.spans.filter((span) => span.kind !== "missing");
  const length = recorded.reduce((sum, span) => sum + span.endUs - span.beginUs, 0);
  const gaps = lane.spans.length - recorded.length;
  return (
    <div className="replay-lane">
      <span className="replay-lane-name" title={lane.name}>
        {lane.name}
      </span>
      <div
        className="replay-lane-track"
        role="img"
        aria-label={words.lane(lane.name, timeText(length), gaps)}
      >
        {lane.spans.map((span) => (
          <i
            key={`${span.kind}-${span.beginUs}`}
            className="replay-span"
            data-kind={span.kind}
            style={{
              left: percent(span.beginUs, lengthUs),
              width: percent(span.endUs - span.beginUs, lengthUs),
            }}
          />
        ))}
      </div>
    </div>
  );
}

interface SliderProps {
  player: ReplayPlayer;
  marks: readonly Mark[];
  laneCount: number;
}

/** Lies over all lanes; the marks' lane is the last one, where a click finds the nearest mark. */
function Slider({ player, marks, laneCount }: SliderProps) {
  const words = useReplayText().timeline;
  const { positionUs } = useStore(player.store);
  const { lengthUs } = player.timeline;
  const dragged = useRef(0);
  const seekTo = (event: PointerEvent<HTMLDivElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * lengthUs;
    const lane = Math.floor(((event.clientY - box.top) / box.height) * laneCount);
    const reach = (SNAP_PX / box.width) * lengthUs;
    player.seek(lane === laneCount - 1 ? nearest(marks, at, reach) : at);
  };
  return (
    <div
      className="replay-slider"
      role="slider"
      tabIndex={0}
      aria-label={words.slider}
      aria-valuemin={0}
      aria-valuemax={Math.round(lengthUs / 1_000_000)}
      aria-valuenow={Math.round(positionUs / 1_000_000)}
      aria-valuetext={words.of(timeText(positionUs), timeText(lengthUs))}
      style={{ "--at": String(lengthUs === 0 ? 0 : positionUs / lengthUs) } as CSSProperties}
      data-testid="replay-slider"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        seekTo(event);
      }}
      onPointerMove={(event) => {
        if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
        if (event.timeStamp - dragged.current < DRAG_EVERY_MS) return;
        dragged.current = event.timeStamp;
        seekTo(event);
      }}
      onPointerUp={(event) => {
        event.currentTarget.releasePointerCapture(event.pointerId);
        seekTo(event);
      }}
      onKeyDown={(event) => {
        moveByKey(event, player);
      }}
    >
      <i className="replay-head" />
    </div>
  );
}

function moveByKey(event: KeyboardEvent, player: ReplayPlayer): void {
  const at = player.positionUs;
  const targets: Partial<Record<string, number>> = {
    ArrowLeft: at - SMALL_STEP_US,
    ArrowDown: at - SMALL_STEP_US,
    ArrowRight: at + SMALL_STEP_US,
    ArrowUp: at + SMALL_STEP_US,
    PageDown: at - LARGE_STEP_US,
    PageUp: at + LARGE_STEP_US,
    Home: 0,
    End: player.timeline.lengthUs,
  };
  const target = targets[event.key];
  if (target === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  player.seek(target);
}

function nearest(marks: readonly Mark[], atUs: number, reachUs: number): number {
  let best = { atUs, offUs: reachUs };
  for (const mark of marks) {
    const offUs = Math.abs(mark.atUs - atUs);
    if (offUs < best.offUs) best = { atUs: mark.atUs, offUs };
  }
  return best.atUs;
}

function Legend() {
  const words = useReplayText().timeline.legend;
  return (
    <ul className="replay-legend muted">
      {(["live", "backfill", "missing"] as const).map((kind) => (
        <li key={kind}>
          <i className="replay-span" data-kind={kind} /> {words[kind]}
        </li>
      ))}
    </ul>
  );
}

const percent = (us: number, lengthUs: number) =>
  `${lengthUs === 0 ? 0 : Math.min(100, Math.max(0, (us / lengthUs) * 100))}%`;
