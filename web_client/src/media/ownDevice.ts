import type { Captured, DeviceProblem } from "./devices";
import type { OwnSource } from "./publisher";
import type { DeviceState } from "../room/state";

export interface OwnDeviceEvents {
  /** Send this track from now on; null: send nothing. */
  send: (track: MediaStreamTrack | null) => Promise<void>;
  changed: (state: DeviceState) => void;
  /** The chosen device, or the one in use, is not there; the one of this name is used instead. */
  replaced: (label: string) => void;
}

/** One microphone, camera or screen of this person: wanted, asked for, captured, sent. */
export class OwnDevice {
  private captured: MediaStreamTrack | null = null;
  private wanted = false;
  private asking = false;
  /** What is being asked for is not wanted any more when it comes. */
  private closed = false;
  /** Let go for good. */
  private left = false;

  constructor(
    private readonly source: OwnSource,
    private readonly events: OwnDeviceEvents,
    private readonly request: () => Promise<Captured>,
  ) {}

  get isOn(): boolean {
    return this.wanted;
  }

  get track(): MediaStreamTrack | null {
    return this.captured;
  }

  async set(on: boolean): Promise<void> {
    if (this.left) return;
    this.closed = false;
    this.wanted = on;
    // Whoever waits for the permission applies what is wanted by then; what is open already obeys at once.
    if (this.asking && this.captured === null) return;
    if (on && this.captured === null && !(await this.open())) return;
    await this.apply();
  }

  /** Capture it without sending anything, so that later the first syllable is there. */
  async prepare(): Promise<void> {
    if (this.left) return;
    this.closed = false;
    if (this.asking || this.captured !== null || !(await this.open())) return;
    await this.apply();
  }

  /** What is preferred has changed: capture anew, if anything is captured. What is sent goes on until then. */
  async reopen(): Promise<void> {
    if (this.asking || this.captured === null || !(await this.open())) return;
    await this.apply();
  }

  /** Off, light and all. */
  async turnOff(): Promise<void> {
    this.wanted = false;
    // What is granted after this is not wanted any more.
    this.closed = this.asking;
    this.release();
    this.events.changed({ phase: "off" });
    await this.events.send(null);
  }

  async fail(problem: DeviceProblem): Promise<void> {
    this.wanted = false;
    this.release();
    this.events.changed({ phase: "failed", problem });
    await this.events.send(null);
  }

  /** Everything is let go, and nothing is opened any more. */
  close(): void {
    this.left = true;
    this.closed = true;
    this.wanted = false;
    this.release();
  }

  private async open(): Promise<boolean> {
    this.asking = true;
    if (this.captured === null) this.events.changed({ phase: "asking" });
    const result = await this.request();
    this.asking = false;
    if (this.closed) {
      if ("track" in result) result.track.stop();
      return false;
    }
    if ("track" in result) {
      this.hold(result.track);
      if (result.instead === true) this.events.replaced(result.track.label);
      return true;
    }
    if ("problem" in result) await this.fail(result.problem);
    else await this.turnOff();
    return false;
  }

  private hold(track: MediaStreamTrack): void {
    if (track !== this.captured) this.release();
    track.onended = () => void this.ended(track);
    this.captured = track;
  }

  private async apply(): Promise<void> {
    const track = this.captured;
    if (track === null) return;
    if (this.wanted) {
      this.events.changed({ phase: "on", stream: new MediaStream([track]) });
      await this.events.send(track);
    } else if (this.source === "microphone") {
      this.events.changed({ phase: "muted" });
      await this.events.send(null);
    } else {
      await this.turnOff();
    }
  }

  /** Ended from outside: a screen by the browser's own bar; a device was unplugged, and there may be another. */
  private async ended(track: MediaStreamTrack): Promise<void> {
    if (track !== this.captured) return;
    if (this.source === "screen") {
      await this.turnOff();
      return;
    }
    this.captured = null;
    this.events.changed({ phase: "asking" });
    // Another one is being opened already.
    if (!this.asking) await this.replace();
  }

  private async replace(): Promise<void> {
    this.asking = true;
    const result = await this.request();
    this.asking = false;
    if (this.closed) {
      if ("track" in result) result.track.stop();
    } else if ("track" in result) {
      this.hold(result.track);
      this.events.replaced(result.track.label);
      await this.apply();
    } else {
      const blocked = "problem" in result && result.problem === "blocked";
      await this.fail(blocked ? "blocked" : "unplugged");
    }
  }

  private release(): void {
    if (this.captured === null) return;
    this.captured.onended = null;
    this.captured.stop();
    this.captured = null;
  }
}
