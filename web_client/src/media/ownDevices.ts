import { isProcessedAs, audioConstraints } from "./constraints";
import { capture, findDevice, listDevices, watchDevices, type Captured } from "./devices";
import { OwnDevice } from "./ownDevice";
import { preferences, type ChosenDevice, type DevicePreferences, type Preferences } from "./preferences";
import type { OwnSource } from "./publisher";
import type { DeviceState } from "../room/state";

export interface OwnDevicesEvents {
  /** Send this track from now on; null: send nothing. */
  send: (source: OwnSource, track: MediaStreamTrack | null) => Promise<void>;
  changed: (source: OwnSource, state: DeviceState) => void;
  /** The chosen device, or the one in use, is not there; the one of this name is used instead. */
  replaced?: (source: OwnSource, label: string) => void;
}

/** What lies outside: the browser's devices and this person's choices. */
export interface DeviceWorld {
  request: (source: OwnSource) => Promise<Captured>;
  list: typeof listDevices;
  watch: typeof watchDevices;
  wishes: Preferences;
}

const BROWSER: DeviceWorld = {
  request: (source) => capture(source),
  list: listDevices,
  watch: watchDevices,
  wishes: preferences,
};

const SOURCES = ["microphone", "camera", "screen"] as const;
const CAPTURED_BY_CHOICE = ["microphone", "camera"] as const;

/**
 * Microphone, camera and screen of this person. Nothing is captured before it is asked for. A muted microphone stays
 * open, so that talking begins with the first syllable; a camera that is switched off is closed and its light goes
 * out. Follows the preferences: another choice replaces what is captured, without negotiation.
 */
export class OwnDevices {
  private readonly devices: Readonly<Record<OwnSource, OwnDevice>>;
  private readonly stopFollowing: (() => void)[];
  private applied: DevicePreferences;

  constructor(
    events: OwnDevicesEvents,
    private readonly world: DeviceWorld = BROWSER,
  ) {
    const { request, wishes, watch } = world;
    const device = (source: OwnSource) =>
      new OwnDevice(
        source,
        {
          send: (track) => events.send(source, track),
          changed: (state) => {
            events.changed(source, state);
          },
          replaced: (label) => events.replaced?.(source, label),
        },
        () => request(source),
      );
    this.devices = { microphone: device("microphone"), camera: device("camera"), screen: device("screen") };
    this.applied = wishes.get();
    this.stopFollowing = [
      wishes.store.subscribe(() => void this.preferencesChanged()),
      watch(() => void this.devicesChanged()),
    ];
  }

  isOn(source: OwnSource): boolean {
    return this.devices[source].isOn;
  }

  /** What is captured, muted or not. */
  track(source: OwnSource): MediaStreamTrack | null {
    return this.devices[source].track;
  }

  set(source: OwnSource, on: boolean): Promise<void> {
    return this.devices[source].set(on);
  }

  /** Open the microphone muted, so that a held key is heard from the first syllable. */
  prepare(source: OwnSource): Promise<void> {
    return this.devices[source].prepare();
  }

  /** Off and let go, a microphone too. */
  release(source: OwnSource): Promise<void> {
    return this.devices[source].turnOff();
  }

  /** The server would not take it. */
  async refused(): Promise<void> {
    for (const source of SOURCES) if (this.isOn(source)) await this.devices[source].fail("refused-by-server");
  }

  close(): void {
    for (const stop of this.stopFollowing) stop();
    for (const source of SOURCES) this.devices[source].close();
  }

  private async preferencesChanged(): Promise<void> {
    const [before, now] = [this.applied, this.world.wishes.get()];
    this.applied = now;
    const { screen } = this.devices;
    if (before.screenContent !== now.screenContent && screen.track) {
      screen.track.contentHint = now.screenContent;
    }
    if (before.camera?.deviceId !== now.camera?.deviceId) await this.devices.camera.reopen();
    if (before.microphone?.deviceId !== now.microphone?.deviceId) await this.devices.microphone.reopen();
    else if (before.profile !== now.profile) await this.profileChanged(now);
  }

  /** Firefox changes the processing of an open microphone; Chromium does so only by opening it anew. */
  private async profileChanged({ profile }: DevicePreferences): Promise<void> {
    const { track } = this.devices.microphone;
    if (track === null) return;
    await track.applyConstraints(audioConstraints(profile, null)).catch(() => undefined);
    if (!isProcessedAs(profile, track.getSettings())) await this.devices.microphone.reopen();
  }

  /** A chosen device that comes back is used again. */
  private async devicesChanged(): Promise<void> {
    const present = await this.world.list();
    for (const source of CAPTURED_BY_CHOICE) {
      const found = findDevice(this.world.wishes.get()[source], present[source]);
      if (found !== null && this.usesAnother(source, found)) await this.devices[source].reopen();
    }
  }

  private usesAnother(source: OwnSource, wanted: ChosenDevice): boolean {
    const { track } = this.devices[source];
    return track !== null && track.getSettings().deviceId !== wanted.deviceId;
  }
}
