import type { ReplayPlayer } from "./player/replayPlayer";
import type { TrackState } from "./player/trackPlayer";

/** Where one track stands. Times in µs on the consultation's timeline. */
export interface TrackReport {
  state: TrackState;
  /** The picture on screen; null for sound and before the first one. */
  shownUs: number | null;
  currentUs: number;
}

export interface ReplayReport {
  epochUs: number;
  lengthUs: number;
  positionUs: number;
  playing: boolean;
  waiting: boolean;
  rate: number;
  tracks: Record<string, TrackReport>;
}

/** `window.teleconsultReplay`: read-only, for tests and for people who help on the telephone. Holds no secret. */
export interface ReplaySupport {
  report: () => ReplayReport;
  /** Where the timeline is at a moment of `performance.now()`, µs. */
  positionAt: (nowMs: number) => number;
}

declare global {
  interface Window {
    teleconsultReplay?: ReplaySupport;
  }
}

/** Returns what takes it away again. */
export function installReplaySupport(target: Window, player: ReplayPlayer): () => void {
  target.teleconsultReplay = Object.freeze({
    report: () => reportOf(player),
    positionAt: (nowMs: number) => player.positionAt(nowMs),
  });
  return () => {
    delete target.teleconsultReplay;
  };
}

function reportOf(player: ReplayPlayer): ReplayReport {
  const { timeline, positionUs } = player;
  const { playing, waiting, rate } = player.store.get();
  const tracks = Object.fromEntries(
    player.players.map((one) => [
      one.track.name,
      { state: one.state, shownUs: one.shown?.atUs ?? null, currentUs: one.currentUs },
    ]),
  );
  const { epochUs, lengthUs } = timeline;
  return { epochUs, lengthUs, positionUs, playing, waiting, rate, tracks };
}
