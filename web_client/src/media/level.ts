/** How loud a moment is; full scale is 1. */
export interface Level {
  rms: number;
  peak: number;
}

const SAMPLES = 2048;
const QUIETEST_DB = -60;

/** Level of some samples. Pure. */
export function levelOf(samples: Float32Array): Level {
  let [sum, peak] = [0, 0];
  for (const sample of samples) {
    sum += sample * sample;
    peak = Math.max(peak, Math.abs(sample));
  }
  return { rms: samples.length === 0 ? 0 : Math.sqrt(sum / samples.length), peak };
}

/** For a meter: 0 at −60 dB and below, 100 at full scale. Pure. */
export function meterPercent(rms: number): number {
  const share = 1 - (20 * Math.log10(Math.max(rms, 1e-9))) / QUIETEST_DB;
  return Math.round(100 * Math.min(1, Math.max(0, share)));
}

let shared: AudioContext | null = null;

/** One for the page: browsers allow only a few. */
export function audioContext(): AudioContext {
  shared ??= new AudioContext();
  // Browsers let it run after the first click only; ask whenever there may have been one.
  if (shared.state === "suspended") void shared.resume().catch(() => undefined);
  return shared;
}

/** Reads how loud a captured track is, whether or not it is sent. */
export class LevelReader {
  private readonly context = audioContext();
  private readonly analyser = this.context.createAnalyser();
  private readonly source: MediaStreamAudioSourceNode;
  private readonly samples = new Float32Array(SAMPLES);

  constructor(track: MediaStreamTrack) {
    this.analyser.fftSize = SAMPLES;
    this.source = this.context.createMediaStreamSource(new MediaStream([track]));
    this.source.connect(this.analyser);
  }

  /** null while the browser does not let the page listen. */
  read(): Level | null {
    if (audioContext().state !== "running") return null;
    this.analyser.getFloatTimeDomainData(this.samples);
    return levelOf(this.samples);
  }

  close(): void {
    this.source.disconnect();
  }
}
