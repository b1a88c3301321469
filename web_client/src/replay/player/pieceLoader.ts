import { ReplayError, type ProblemCode, type WantedPiece } from "../worker/protocol";
import { PieceCache } from "./pieceCache";

/** Fetches, compares and decrypts pieces that follow each other in one generation; each one's data, or why not. */
export type LoadRun = (
  wanted: readonly WantedPiece[],
  stop: AbortSignal,
) => Promise<(ArrayBuffer | ProblemCode)[]>;

/** As many pieces as come in one answer. */
export const RUN_PIECES = 16;
/** What was decrypted and is kept: a minute of four pictures at 3 Mbit/s. */
const CACHE_BYTES = 96_000_000;
/** Runs loaded at the same time that nobody waits for. */
const BACKGROUND_RUNS = 2;

interface Run {
  urgent: boolean;
  stop: AbortSignal;
  begin: () => Promise<void>;
}

/**
 * Loads pieces for all tracks: what a picture waits for at once, what is to come later only while nothing is waited
 * for. What was given up goes no further; what was decrypted is kept for a while.
 */
export class PieceLoader {
  private readonly cache = new PieceCache(CACHE_BYTES);
  private waiting: Run[] = [];
  private urgent = 0;
  private background = 0;
  private calm = true;

  constructor(private readonly loadRun: LoadRun) {}

  /** `pieces`: of one generation, without holes, at most `RUN_PIECES`. Rejections: `ReplayError`. */
  load(pieces: readonly WantedPiece[], urgent: boolean, stop: AbortSignal): Promise<ArrayBuffer>[] {
    const kept = pieces.map(({ object }) => this.cache.take(object));
    const first = kept.indexOf(null);
    const missing = first < 0 ? [] : pieces.slice(first, kept.lastIndexOf(null) + 1);
    const loading = missing.length === 0 ? Promise.resolve([]) : this.enqueue(missing, urgent, stop);
    return pieces.map(({ object }, at) => {
      const known = kept[at];
      if (known instanceof ArrayBuffer) return Promise.resolve(known);
      return loading.then((found) => {
        const one = found[at - first];
        if (one instanceof ArrayBuffer) return one;
        throw new ReplayError(one ?? "missing", object);
      });
    });
  }

  /** False while a picture is waited for: decoding it needs the machine more than what comes later does. */
  setCalm(calm: boolean): void {
    if (calm === this.calm) return;
    this.calm = calm;
    this.pump();
  }

  /** Somebody waits now for what was asked with that signal. */
  hurry(stop: AbortSignal): void {
    for (const run of this.waiting) run.urgent ||= run.stop === stop;
    this.pump();
  }

  private enqueue(
    pieces: readonly WantedPiece[],
    urgent: boolean,
    stop: AbortSignal,
  ): Promise<(ArrayBuffer | ProblemCode)[]> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        reject(new ReplayError("aborted"));
        this.pump();
      };
      stop.addEventListener("abort", giveUp, { once: true });
      const begin = () => this.run(pieces, stop).then(resolve, reject);
      this.waiting.push({ urgent, stop, begin });
      this.pump();
    });
  }

  private async run(pieces: readonly WantedPiece[], stop: AbortSignal) {
    const found = await this.loadRun(pieces, stop);
    for (const [at, { object }] of pieces.entries()) {
      const one = found[at];
      if (one instanceof ArrayBuffer) this.cache.put(object, one);
    }
    return found;
  }

  /** Begin what may begin. */
  private pump(): void {
    const wanted = this.waiting.filter((run) => !run.stop.aborted);
    this.waiting = wanted.filter((run) => !run.urgent);
    for (const run of wanted) if (run.urgent) this.start(run);
    while (this.calm && this.urgent === 0 && this.background < BACKGROUND_RUNS) {
      const next = this.waiting.shift();
      if (next === undefined) return;
      this.start(next);
    }
  }

  private start({ urgent, begin }: Run): void {
    const count = (by: 1 | -1) => {
      if (urgent) this.urgent += by;
      else this.background += by;
    };
    count(1);
    void begin().finally(() => {
      count(-1);
      this.pump();
    });
  }
}
