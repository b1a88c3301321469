import { useEffect, useRef, useState } from "react";
import { listDevices, NO_DEVICES, watchDevices, type DeviceList } from "../../media/devices";
import { LevelReader, type Level } from "../../media/level";
import { OwnDevices } from "../../media/ownDevices";
import { preferences } from "../../media/preferences";
import type { OwnMedia } from "../../room/ownMedia";
import type { DeviceState } from "../../room/state";
import { useStore } from "../hooks";

type Devices = Readonly<Record<"microphone" | "camera", DeviceState>>;
const OFF: Devices = { microphone: { phase: "off" }, camera: { phase: "off" } };

/** What is plugged in, kept up to date. `asked`: look again when it changes, since permissions reveal names. */
export function useDeviceList(asked: unknown): DeviceList {
  const [list, setList] = useState<DeviceList>(NO_DEVICES);
  useEffect(() => {
    let left = false;
    const look = async () => {
      const found = await listDevices();
      if (!left) setList(found);
    };
    void look();
    const stop = watchDevices(() => void look());
    return () => {
      left = true;
      stop();
    };
  }, [asked]);
  return list;
}

async function isGranted(name: "microphone" | "camera"): Promise<boolean> {
  try {
    return (await navigator.permissions.query({ name })).state === "granted";
  } catch {
    return false;
  }
}

export interface Preview {
  devices: Devices;
  microphone: MediaStreamTrack | null;
  set: (source: "microphone" | "camera", on: boolean) => void;
}

/**
 * Microphone and camera for looking at them oneself; nothing is sent, and everything is let go at the end.
 * `resume`: what was used last time is opened, where the browser already allows it.
 */
export function usePreview(resume: boolean): Preview {
  const [devices, setDevices] = useState(OFF);
  const own = useRef<OwnDevices>(null);
  useEffect(() => {
    const made = new OwnDevices({
      send: () => Promise.resolve(),
      changed: (source, state) => {
        setDevices((before) => ({ ...before, [source]: state }));
      },
    });
    own.current = made;
    if (resume) void openAsBefore(made);
    return () => {
      made.close();
    };
  }, [resume]);
  const { microphone } = devices;
  return {
    devices,
    microphone: microphone.phase === "on" ? (microphone.stream.getAudioTracks()[0] ?? null) : null,
    set: (source, on) => {
      // Somebody who only looks is not muted: the microphone is let go.
      if (on) void own.current?.set(source, true);
      else void own.current?.release(source);
    },
  };
}

async function openAsBefore(own: OwnDevices): Promise<void> {
  const { microphoneOn, cameraOn } = preferences.get();
  if (microphoneOn && (await isGranted("microphone"))) await own.set("microphone", true);
  if (cameraOn && (await isGranted("camera"))) await own.set("camera", true);
}

/** The microphone in the room, muted or not; null while it is closed. */
export function useOwnMicrophone(own: OwnMedia): MediaStreamTrack | null {
  return useStore(own.captured).microphone;
}

/** null where the browser gives no level, as without any sound output: a meter is not worth the room. */
function readerOf(track: MediaStreamTrack): LevelReader | null {
  try {
    return new LevelReader(track);
  } catch {
    return null;
  }
}

type OnLevel = (level: Level | null) => void;

/** Calls back every `everyMs`, with the level of the track if there is one and it can be read. */
export function useTicks(track: MediaStreamTrack | null, everyMs: number, onTick: OnLevel): void {
  useEffect(() => {
    const reader = track === null ? null : readerOf(track);
    const timer = setInterval(() => {
      onTick(reader?.read() ?? null);
    }, everyMs);
    return () => {
      clearInterval(timer);
      reader?.close();
    };
  }, [track, everyMs, onTick]);
}
