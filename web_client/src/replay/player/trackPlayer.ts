import { segmentAt } from "./plan";
import { SourceFeeder, type Source } from "./sourceFeeder";
import { correct } from "./sync";
import type { Track } from "./timeline";

/** `waiting`: for pieces; `missing`: there is nothing; `failed`: there is something that cannot be shown. */
export type TrackState = "waiting" | "shown" | "missing" | "failed";

const US_PER_S = 1_000_000;
/** A paused picture is right when it is nearer than this, s. */
const STILL_S = 0.001;
/** Containers round times: this near before the first picture counts as that picture, s. */
const ROUNDING_S = 0.02;
const HAVE_CURRENT_DATA = 2;
/** A browser does not end a seek in sound before it has some of what follows: not at all where nothing does. */
const SOUND_NEEDED_US = 500_000;
/** A picture appears this long after its moment: half of what a screen waits between two, ms. */
const LATE_MS = 8;
/** How far the element is ever put ahead of the clock to make up for the way to the screen, s at normal speed. */
const LEAD_MAX_S = 0.06;
/** How fast that is learned from each picture. */
const LEARN = 0.08;

/** One track: its media element, kept in step with a clock, and what feeds it. */
export class TrackPlayer {
  state: TrackState = "waiting";
  /** The picture on screen: its place on the timeline, µs, and when it was shown (`performance.now()`). */
  shown: { atUs: number; nowMs: number } | null = null;
  private element: HTMLMediaElement | null = null;
  private feeder: SourceFeeder | null = null;
  private frameRequest = 0;
  /** The feeder's `emptied` when the element was last told where to go. */
  private soughtAfter = 0;
  private clock = { atUs: 0, nowMs: 0, rate: 1, running: false };
  /** How far ahead of the clock the element runs, so that the picture on screen is the clock's, s at normal speed. */
  private leadS = 0;

  /** Ends what listens to the element. */
  private listening = new AbortController();

  /** `onChange`: of `state`; `onNews`: something came that may make it `ready`. */
  constructor(
    readonly track: Track,
    private readonly source: Source,
    private readonly onChange: () => void,
    private readonly onNews: () => void,
  ) {}

  /** Where the element stands, µs. */
  get currentUs(): number {
    return (this.element?.currentTime ?? 0) * US_PER_S;
  }

  /** Why what failed did. */
  get problem(): unknown {
    return this.feeder?.problem ?? null;
  }

  attach(element: HTMLMediaElement): void {
    this.detach();
    this.element = element;
    this.feeder = new SourceFeeder(this.track, this.source, element, {
      failed: this.onChange,
      filled: this.onNews,
    });
    this.soughtAfter = 0;
    this.listening = new AbortController();
    const { signal } = this.listening;
    for (const told of ["seeked", "canplay"]) element.addEventListener(told, this.onNews, { signal });
    if (element instanceof HTMLVideoElement) this.watchFrames(element);
  }

  detach(): void {
    const { element } = this;
    if (element === null) return;
    if (element instanceof HTMLVideoElement) element.cancelVideoFrameCallback(this.frameRequest);
    this.listening.abort();
    this.feeder?.end();
    element.removeAttribute("src");
    element.load();
    this.element = this.feeder = null;
  }

  /** There is something of this track at that moment. */
  covers(atUs: number): boolean {
    const index = segmentAt(this.track.segments, atUs);
    return index >= 0 && this.feeder?.failed.has(index) !== true;
  }

  /** What has to be on screen at `atUs` is, or cannot be. */
  ready(atUs: number): boolean {
    const { element, feeder } = this;
    if (element === null || feeder === null || element.error !== null || !this.covers(atUs)) return true;
    if (!isBuffered(element, atUs / US_PER_S)) return feeder.holds(segmentAt(this.track.segments, atUs));
    const there = !element.seeking && element.readyState >= HAVE_CURRENT_DATA;
    return there || this.isLastSound(element, feeder, atUs);
  }

  /** What is left before the next silence is too little for the browser to begin with. */
  private isLastSound(element: HTMLMediaElement, feeder: SourceFeeder, atUs: number): boolean {
    const laterUs = atUs + SOUND_NEEDED_US;
    const later = segmentAt(this.track.segments, laterUs);
    const comes = isBuffered(element, laterUs / US_PER_S) || (later >= 0 && !feeder.holds(later));
    return this.track.media === "audio" && !comes;
  }

  /** Follow the clock. `running`: it goes on by itself until the next call. */
  follow(atUs: number, rate: number, running: boolean, nowMs: number): void {
    const { element, feeder } = this;
    this.clock = { atUs, nowMs, rate, running };
    if (element === null || feeder === null) return;
    feeder.aimAt(atUs, rate);
    const hidden = this.whyHidden(element, feeder, atUs);
    if (hidden !== null) {
      stop(element);
      this.setState(hidden);
      return;
    }
    const emptied = feeder.emptied !== this.soughtAfter;
    this.soughtAfter = feeder.emptied;
    if (running) this.play(element, atUs / US_PER_S, rate, emptied);
    else still(element, atUs / US_PER_S, emptied);
    if (element.readyState >= HAVE_CURRENT_DATA && !element.seeking) this.setState("shown");
  }

  /** Null when there is a picture for that moment. */
  private whyHidden(element: HTMLMediaElement, feeder: SourceFeeder, atUs: number): TrackState | null {
    const index = segmentAt(this.track.segments, atUs);
    if (element.error !== null || feeder.failed.has(index)) return "failed";
    if (index < 0) return "missing";
    if (isBuffered(element, atUs / US_PER_S)) return null;
    return feeder.holds(index) ? "missing" : "waiting";
  }

  private play(element: HTMLMediaElement, at: number, rate: number, emptied: boolean): void {
    const wanted = at + this.leadS * rate;
    if (emptied || isLost(element)) element.currentTime = inside(element, wanted);
    else if (!element.seeking) {
      const { seek, playbackRate } = correct(element.currentTime - wanted, rate, this.track.media);
      if (seek) element.currentTime = inside(element, wanted);
      if (element.playbackRate !== playbackRate) element.playbackRate = playbackRate;
    }
    // Sound that the browser does not allow yet stays silent; the pictures go on.
    if (element.paused) element.play().catch(() => undefined);
  }

  private setState(state: TrackState): void {
    if (state === this.state) return;
    this.state = state;
    this.onChange();
  }

  /** From the picture that was just shown: how late it was by the clock, and so how far ahead to run. */
  private learnLead(shown: { atUs: number; nowMs: number }): void {
    const { atUs, nowMs, rate, running } = this.clock;
    if (!running) return;
    const lateMs = (atUs - shown.atUs) / 1000 / rate + (shown.nowMs - nowMs);
    if (Math.abs(lateMs) > LEAD_MAX_S * 2000) return; // just after a jump
    const lead = this.leadS + (LEARN * (lateMs - LATE_MS)) / 1000;
    this.leadS = Math.min(LEAD_MAX_S, Math.max(-LEAD_MAX_S, lead));
  }

  private watchFrames(element: HTMLVideoElement): void {
    const note = (_now: number, frame: VideoFrameCallbackMetadata) => {
      this.shown = { atUs: frame.mediaTime * US_PER_S, nowMs: frame.expectedDisplayTime };
      this.learnLead(this.shown);
      this.frameRequest = element.requestVideoFrameCallback(note);
    };
    this.frameRequest = element.requestVideoFrameCallback(note);
  }
}

/** `emptied`: what it has sought so far was taken away, even if the very same is there again. */
function still(element: HTMLMediaElement, at: number, emptied: boolean): void {
  stop(element);
  const wanted = inside(element, at);
  const off = Math.abs(element.currentTime - wanted) > STILL_S;
  if (emptied || (off && (!element.seeking || isLost(element)))) element.currentTime = wanted;
}

/** It seeks a place whose pieces were given up meanwhile: that never ends by itself. */
function isLost(element: HTMLMediaElement): boolean {
  return element.seeking && !isBuffered(element, element.currentTime);
}

function stop(element: HTMLMediaElement): void {
  if (!element.paused) element.pause();
}

/** The moment to show: a moment just before the first picture there is counts as that picture. */
function inside(element: HTMLMediaElement, at: number): number {
  const { buffered } = element;
  for (let index = 0; index < buffered.length; index += 1) {
    const start = buffered.start(index);
    if (start > at && start <= at + ROUNDING_S) return start + STILL_S / 2;
  }
  return at;
}

function isBuffered(element: HTMLMediaElement, at: number): boolean {
  const { buffered } = element;
  for (let index = 0; index < buffered.length; index += 1) {
    if (buffered.start(index) <= at + ROUNDING_S && at < buffered.end(index)) return true;
  }
  return false;
}
