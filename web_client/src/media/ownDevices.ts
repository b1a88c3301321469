import { capture, type DeviceProblem } from "./devices";
import type { OwnSource } from "./publisher";
import type { DeviceState } from "../room/state";

export interface OwnDevicesEvents {
  /** Send this track from now on; null: send nothing. */
  send: (source: OwnSource, track: MediaStreamTrack | null) => Promise<void>;
  changed: (source: OwnSource, state: DeviceState) => void;
}

/**
 * Microphone and camera of this person. Nothing is captured before it is asked for. A muted microphone stays open,
 * so that talking begins with the first syllable; a camera that is switched off is closed and its light goes out.
 */
export class OwnDevices {
  private captured = new Map<OwnSource, MediaStreamTrack>();
  private wanted: Record<OwnSource, boolean> = { microphone: false, camera: false };
  private asking = new Set<OwnSource>();

  constructor(
    private readonly events: OwnDevicesEvents,
    private readonly request: typeof capture = capture,
  ) {}

  isOn(source: OwnSource): boolean {
    return this.wanted[source];
  }

  async set(source: OwnSource, on: boolean): Promise<void> {
    this.wanted[source] = on;
    // Whoever waits for the permission applies what is wanted by then.
    if (this.asking.has(source)) return;
    if (on && !this.captured.has(source) && !(await this.open(source))) return;
    await this.apply(source);
  }

  /** The server would not take it. */
  async refused(): Promise<void> {
    for (const source of ["microphone", "camera"] as const) {
      if (this.wanted[source]) await this.fail(source, "refused-by-server");
    }
  }

  close(): void {
    for (const source of [...this.captured.keys()]) this.release(source);
  }

  private async open(source: OwnSource): Promise<boolean> {
    this.asking.add(source);
    this.events.changed(source, { phase: "asking" });
    const result = await this.request(source);
    this.asking.delete(source);
    if ("problem" in result) {
      await this.fail(source, result.problem);
      return false;
    }
    const { track } = result;
    track.onended = () => {
      void this.fail(source, "unplugged");
    };
    this.captured.set(source, track);
    return true;
  }

  private async apply(source: OwnSource): Promise<void> {
    const track = this.captured.get(source);
    if (track === undefined) return;
    if (this.wanted[source]) {
      this.events.changed(source, { phase: "on", stream: new MediaStream([track]) });
      await this.events.send(source, track);
      return;
    }
    if (source === "camera") this.release(source);
    this.events.changed(source, { phase: source === "camera" ? "off" : "muted" });
    await this.events.send(source, null);
  }

  private async fail(source: OwnSource, problem: DeviceProblem): Promise<void> {
    this.wanted[source] = false;
    this.release(source);
    this.events.changed(source, { phase: "failed", problem });
    await this.events.send(source, null);
  }

  private release(source: OwnSource): void {
    const track = this.captured.get(source);
    if (track === undefined) return;
    track.onended = null;
    track.stop();
    this.captured.delete(source);
  }
}
