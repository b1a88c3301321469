import { expect, test } from "vitest";
import { DEFAULT_PREFERENCES, Preferences, readPreferences } from "./preferences";

function memory(initial?: string) {
  const kept = new Map(initial === undefined ? [] : [["teleconsult.devices", initial]]);
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  };
}

test("a choice is remembered by the next page", () => {
  const storage = memory();
  const usb = { deviceId: "abc", label: "USB microphone" };
  new Preferences(storage).update({ microphone: usb, profile: "headset", microphoneOn: true });
  expect(new Preferences(storage).get()).toEqual({
    ...DEFAULT_PREFERENCES,
    microphone: usb,
    profile: "headset",
    microphoneOn: true,
  });
});

test("microphone and camera are off until somebody chose otherwise", () => {
  expect(new Preferences(memory()).get()).toMatchObject({ microphoneOn: false, cameraOn: false });
});

test.each(["", "nonsense", "null", "[]", "3", '{"profile": 4, "microphone": "x", "microphoneOn": "yes"}'])(
  "stored %j is no reason to fail",
  (text) => {
    expect(new Preferences(memory(text)).get()).toEqual(DEFAULT_PREFERENCES);
  },
);

test("a device without an id, or with an endless one, is no device", () => {
  for (const deviceId of ["", "x".repeat(513), 7]) {
    expect(readPreferences({ camera: { deviceId, label: "" } }).camera).toBeNull();
  }
});

test("a browser that keeps nothing still takes choices", () => {
  const forbidding = {
    getItem: () => {
      throw new DOMException("", "SecurityError");
    },
    setItem: () => {
      throw new DOMException("", "QuotaExceededError");
    },
  };
  for (const storage of [null, forbidding]) {
    const preferences = new Preferences(storage);
    preferences.update({ talkMode: "hold" });
    expect(preferences.get().talkMode).toBe("hold");
  }
});
