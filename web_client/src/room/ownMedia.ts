import { OwnDevices } from "../media/ownDevices";
import { preferences, type DevicePreferences, type Preferences } from "../media/preferences";
import { Publisher, type OwnSource } from "../media/publisher";
import type { ClientMessage, LayersWanted, Published } from "../protocol/messages";
import type { DeviceState } from "./state";
import { Store } from "./store";

export interface OwnMediaEvents {
  say: (message: ClientMessage) => void;
  device: (source: OwnSource, device: DeviceState) => void;
  state: (state: RTCPeerConnectionState) => void;
  /** Run something a little later, if the room is still there by then. */
  later: (act: () => void) => void;
}

/** Refusals that a little patience may overcome. */
const PASSING: ReadonlySet<string> = new Set(["unavailable", "no_worker", "internal"]);

/** A device that went away, and the one used instead. */
export interface Replaced {
  source: OwnSource;
  label: string;
}

export type Captures = Readonly<Record<OwnSource, MediaStreamTrack | null>>;

/** What this person sends: the devices and the connection that carries them. */
export class OwnMedia {
  readonly publisher: Publisher;
  /** Said until it is dismissed. */
  readonly replaced = new Store<Replaced | null>(null);
  /** What is captured, muted or not: to show its level. */
  readonly captured = new Store<Captures>({ microphone: null, camera: null, screen: null });
  private readonly devices: OwnDevices;
  private readonly stopFollowing: () => void;
  private applied: DevicePreferences;
  private begun = false;

  constructor(
    private readonly events: OwnMediaEvents,
    private readonly wishes: Preferences = preferences,
    connect?: () => RTCPeerConnection,
  ) {
    this.publisher = new Publisher(
      {
        publish: (message) => {
          events.say({ type: "publish", ...message });
        },
        muted: (trackId, muted) => {
          events.say({ type: "set_muted", track_id: trackId, muted });
        },
        state: events.state,
        failed: () => {
          this.rebuildLater();
        },
      },
      connect,
    );
    this.devices = new OwnDevices({
      send: (source, track) => this.publisher.setTrack(source, track),
      changed: (source, device) => {
        this.captured.set({ ...this.captured.get(), [source]: this.devices.track(source) });
        events.device(source, device);
      },
      replaced: (source, label) => {
        this.replaced.set({ source, label });
      },
    });
    this.applied = wishes.get();
    this.stopFollowing = wishes.store.subscribe(() => {
      this.preferencesChanged();
    });
  }

  /** The room was entered: begin with what was chosen before. Later calls do nothing. */
  begin(): void {
    if (this.begun) return;
    this.begun = true;
    const { microphoneOn, cameraOn, talkMode } = this.wishes.get();
    if (microphoneOn && talkMode === "hold") void this.devices.prepare("microphone");
    else if (microphoneOn) void this.devices.set("microphone", true);
    if (cameraOn) void this.devices.set("camera", true);
  }

  /** The person switched it; that is remembered for the next room. A screen is never shared unasked. */
  set(source: OwnSource, on: boolean): void {
    const { talkMode } = this.wishes.get();
    if (source === "microphone" && talkMode === "toggle") this.wishes.update({ microphoneOn: on });
    if (source === "camera") this.wishes.update({ cameraOn: on });
    void this.devices.set(source, on);
  }

  toggle(source: OwnSource): void {
    this.set(source, !this.devices.isOn(source));
  }

  /** The person goes on without: the message about a device that failed goes away. */
  dismiss(source: OwnSource): void {
    this.events.device(source, { phase: "off" });
  }

  published(message: Published): void {
    void this.publisher.published(message);
  }

  layersWanted({ track_id: trackId, rids }: LayersWanted): void {
    void this.publisher.layersWanted(trackId, rids);
  }

  /** The server refused our offer. */
  refused(code: string): void {
    if (!this.publisher.refused()) return;
    if (code === "transport_not_found") void this.publisher.rebuild();
    else if (PASSING.has(code)) this.rebuildLater();
    // A decision: it takes nothing from us here.
    else {
      void this.devices.refused();
      this.publisher.close();
    }
  }

  close(): void {
    this.stopFollowing();
    this.devices.close();
    this.publisher.close();
  }

  private preferencesChanged(): void {
    const [before, now] = [this.applied, this.wishes.get()];
    this.applied = now;
    if (before.profile !== now.profile) void this.publisher.microphoneChanged();
    // From now on it is open only while held.
    const closes = before.talkMode !== now.talkMode && now.talkMode === "hold";
    if (closes && this.devices.isOn("microphone")) void this.devices.set("microphone", false);
  }

  private rebuildLater(): void {
    this.events.later(() => void this.publisher.rebuild());
  }
}
