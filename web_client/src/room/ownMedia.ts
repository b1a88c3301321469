import { OwnDevices } from "../media/ownDevices";
import { Publisher, type OwnSource } from "../media/publisher";
import type { ClientMessage, Published } from "../protocol/messages";
import type { DeviceState } from "./state";

export interface OwnMediaEvents {
  say: (message: ClientMessage) => void;
  device: (source: OwnSource, device: DeviceState) => void;
  state: (state: RTCPeerConnectionState) => void;
  /** Run something a little later, if the room is still there by then. */
  later: (act: () => void) => void;
}

/** Refusals that a little patience may overcome. */
const PASSING: ReadonlySet<string> = new Set(["unavailable", "no_worker", "internal"]);

/** What this person sends: the devices and the connection that carries them. */
export class OwnMedia {
  readonly publisher: Publisher;
  private readonly devices: OwnDevices;

  constructor(private readonly events: OwnMediaEvents) {
    this.publisher = new Publisher({
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
    });
    this.devices = new OwnDevices({
      send: (source, track) => this.publisher.setTrack(source, track),
      changed: events.device,
    });
  }

  set(source: OwnSource, on: boolean): void {
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

  /** The server refused our offer. */
  refused(code: string): void {
    this.publisher.refused();
    if (code === "transport_not_found") void this.publisher.rebuild();
    else if (PASSING.has(code)) this.rebuildLater();
    // A decision: it takes nothing from us here.
    else {
      void this.devices.refused();
      this.publisher.close();
    }
  }

  close(): void {
    this.devices.close();
    this.publisher.close();
  }

  private rebuildLater(): void {
    this.events.later(() => void this.publisher.rebuild());
  }
}
