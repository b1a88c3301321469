import { beforeEach, expect, test, vi } from "vitest";
import { NO_DEVICES, type Captured, type DeviceList } from "./devices";
import { asTrack, drained, FakeStream, FakeTrack } from "./fakePeerConnection";
import { OwnDevices } from "./ownDevices";
import { Preferences } from "./preferences";
import type { OwnSource } from "./publisher";

let sent: [OwnSource, string | null][];
let phases: string[];
let replaced: string[];
let answers: ((captured: Captured) => void)[];
let devices: OwnDevices;
let wishes: Preferences;
let present: DeviceList;
let devicesCameOrWent: () => void;

beforeEach(() => {
  vi.stubGlobal("MediaStream", FakeStream);
  [sent, phases, replaced, answers] = [[], [], [], []];
  wishes = new Preferences(null);
  present = NO_DEVICES;
  devices = new OwnDevices(
    {
      send: (source, track) => {
        sent.push([source, track?.id ?? null]);
        return Promise.resolve();
      },
      changed: (source, state) =>
        phases.push(`${source} ${state.phase}${state.phase === "failed" ? ` ${state.problem}` : ""}`),
      replaced: (source, label) => replaced.push(`${source}: ${label}`),
    },
    {
      request: () => new Promise((resolve) => answers.push(resolve)),
      list: () => Promise.resolve(present),
      watch: (changed) => {
        devicesCameOrWent = changed;
        return () => undefined;
      },
      wishes,
    },
  );
});

async function grant(track: FakeTrack): Promise<void> {
  answers.at(-1)?.({ track: asTrack(track) });
  await drained();
}

async function talking(track: FakeTrack): Promise<FakeTrack> {
  void devices.set("microphone", true);
  await grant(track);
  return track;
}

test("nothing is asked of the browser before it is wanted", async () => {
  await devices.set("microphone", false);
  expect(answers).toEqual([]);
});

test("talking again after muting does not ask the browser again", async () => {
  const track = await talking(new FakeTrack("audio"));
  await devices.set("microphone", false);
  await devices.set("microphone", true);
  expect(answers).toHaveLength(1);
  expect(track.stopped).toBe(false);
  expect(phases).toEqual(["microphone asking", "microphone on", "microphone muted", "microphone on"]);
  expect(sent.map(([, id]) => id)).toEqual(["audio", null, "audio"]);
});

test("a prepared microphone is open and sends nothing until it is wanted", async () => {
  void devices.prepare("microphone");
  await grant(new FakeTrack("audio"));
  expect(phases.at(-1)).toBe("microphone muted");
  expect(sent).toEqual([["microphone", null]]);
  await devices.set("microphone", true);
  expect(answers).toHaveLength(1);
  expect(sent.at(-1)).toEqual(["microphone", "audio"]);
});

test("a camera that is switched off is let go, light and all", async () => {
  const track = new FakeTrack("video");
  void devices.set("camera", true);
  await grant(track);
  await devices.set("camera", false);
  expect(track.stopped).toBe(true);
  expect(phases.at(-1)).toBe("camera off");
  void devices.set("camera", true);
  expect(answers).toHaveLength(2);
});

test("whoever changes their mind while the browser asks is not heard", async () => {
  void devices.set("microphone", true);
  await devices.set("microphone", false);
  await grant(new FakeTrack("audio"));
  expect(sent).toEqual([["microphone", null]]);
  expect(phases.at(-1)).toBe("microphone muted");
});

test("a device that cannot be had says why, and can be tried again", async () => {
  void devices.set("camera", true);
  answers.at(-1)?.({ problem: "in-use" });
  await drained();
  expect(phases.at(-1)).toBe("camera failed in-use");
  expect(devices.isOn("camera")).toBe(false);
  void devices.set("camera", true);
  expect(answers).toHaveLength(2);
});

test("an unplugged microphone is replaced by another, and that is said", async () => {
  const track = await talking(new FakeTrack("audio", "usb"));
  track.onended?.();
  await drained();
  await grant(new FakeTrack("audio", "built-in"));
  expect(replaced).toEqual(["microphone: built-in"]);
  expect(sent.at(-1)).toEqual(["microphone", "built-in"]);
  expect(phases.at(-1)).toBe("microphone on");
});

test("a chosen microphone that is not there is replaced, and that is said", async () => {
  void devices.set("microphone", true);
  answers.at(-1)?.({ track: asTrack(new FakeTrack("audio", "built-in")), instead: true });
  await drained();
  expect(replaced).toEqual(["microphone: built-in"]);
  expect(phases.at(-1)).toBe("microphone on");
});

test("an unplugged microphone without another is noticed", async () => {
  const track = await talking(new FakeTrack("audio"));
  track.onended?.();
  await drained();
  answers.at(-1)?.({ problem: "none-found" });
  await drained();
  expect(phases.at(-1)).toBe("microphone failed unplugged");
  expect(sent.at(-1)).toEqual(["microphone", null]);
});

test("another choice replaces the microphone that is open; the old one is let go only then", async () => {
  const before = await talking(new FakeTrack("audio", "built-in"));
  wishes.update({ microphone: { deviceId: "usb", label: "USB" } });
  await drained();
  expect(before.stopped).toBe(false);
  await grant(new FakeTrack("audio", "usb"));
  expect(before.stopped).toBe(true);
  expect(sent.at(-1)).toEqual(["microphone", "usb"]);
});

test("another choice while muted stays muted", async () => {
  await talking(new FakeTrack("audio", "built-in"));
  await devices.set("microphone", false);
  wishes.update({ microphone: { deviceId: "usb", label: "USB" } });
  await drained();
  await grant(new FakeTrack("audio", "usb"));
  expect(phases.at(-1)).toBe("microphone muted");
  expect(sent.at(-1)).toEqual(["microphone", null]);
});

test("a choice alone opens nothing", async () => {
  wishes.update({ camera: { deviceId: "usb", label: "USB" }, profile: "music" });
  await drained();
  expect(answers).toEqual([]);
});

test("another profile changes the open track where the browser can do that", async () => {
  const track = new FakeTrack("audio");
  track.obeys = true;
  await talking(track);
  wishes.update({ profile: "music" });
  await drained();
  expect(track.asked.at(-1)).toMatchObject({ echoCancellation: false, noiseSuppression: false });
  expect(answers).toHaveLength(1);
});

test("another profile opens the microphone anew where the browser cannot change it", async () => {
  const track = new FakeTrack("audio", "processed");
  track.settings = { echoCancellation: true };
  await talking(track);
  wishes.update({ profile: "music" });
  await drained();
  await grant(new FakeTrack("audio", "raw"));
  expect(track.stopped).toBe(true);
  expect(sent.at(-1)).toEqual(["microphone", "raw"]);
});

test("the chosen microphone is used again when it is plugged in again", async () => {
  wishes.update({ microphone: { deviceId: "usb", label: "USB" } });
  const other = new FakeTrack("audio", "built-in");
  other.settings = { deviceId: "built-in" };
  await talking(other);
  devicesCameOrWent();
  await drained();
  expect(answers).toHaveLength(1);
  present = { ...NO_DEVICES, microphone: [{ deviceId: "usb", label: "USB" }] };
  devicesCameOrWent();
  await drained();
  expect(answers).toHaveLength(2);
});

test("the browser's own bar ends a shared screen, quietly", async () => {
  const track = new FakeTrack("video", "screen");
  void devices.set("screen", true);
  await grant(track);
  track.onended?.();
  await drained();
  expect(phases).toEqual(["screen asking", "screen on", "screen off"]);
  expect(sent.at(-1)).toEqual(["screen", null]);
});

test("whoever closes the browser's choice of screens is told nothing", async () => {
  void devices.set("screen", true);
  answers.at(-1)?.({ cancelled: true });
  await drained();
  expect(phases).toEqual(["screen asking", "screen off"]);
  expect(devices.isOn("screen")).toBe(false);
});

test("what a shared screen shows can change while it is shared", async () => {
  const track = new FakeTrack("video", "screen");
  void devices.set("screen", true);
  await grant(track);
  wishes.update({ screenContent: "motion" });
  await drained();
  expect(track.contentHint).toBe("motion");
});

test("what the server refuses is switched off", async () => {
  const track = await talking(new FakeTrack("audio"));
  await devices.refused();
  expect(track.stopped).toBe(true);
  expect(phases.at(-1)).toBe("microphone failed refused-by-server");
});

test("leaving lets all devices go", async () => {
  const track = await talking(new FakeTrack("audio"));
  devices.close();
  expect(track.stopped).toBe(true);
});

test("a permission given after leaving opens nothing", async () => {
  void devices.set("microphone", true);
  devices.close();
  const track = new FakeTrack("audio");
  await grant(track);
  expect(track.stopped).toBe(true);
  expect(sent).toEqual([]);
});

test("whoever mutes while another microphone is opened is muted at once", async () => {
  await talking(new FakeTrack("audio", "built-in"));
  wishes.update({ microphone: { deviceId: "usb", label: "USB" } });
  await drained();
  void devices.set("microphone", false);
  await drained();
  expect(phases.at(-1)).toBe("microphone muted");
  expect(sent.at(-1)).toEqual(["microphone", null]);
  await grant(new FakeTrack("audio", "usb"));
  expect(phases.at(-1)).toBe("microphone muted");
  expect(sent.at(-1)).toEqual(["microphone", null]);
});

test("a camera switched off while another is opened goes out at once, and the other is not kept", async () => {
  const before = new FakeTrack("video", "built-in");
  void devices.set("camera", true);
  await grant(before);
  wishes.update({ camera: { deviceId: "usb", label: "USB" } });
  await drained();
  await devices.set("camera", false);
  expect(before.stopped).toBe(true);
  const late = new FakeTrack("video", "usb");
  await grant(late);
  expect(late.stopped).toBe(true);
  expect(phases.at(-1)).toBe("camera off");
});

test("while an unplugged microphone is being replaced it is not called on", async () => {
  const track = await talking(new FakeTrack("audio", "usb"));
  track.onended?.();
  await drained();
  expect(phases.at(-1)).toBe("microphone asking");
  expect(devices.track("microphone")).toBeNull();
});

test("a microphone that goes while another is opened is not replaced twice: nothing stays open", async () => {
  const before = await talking(new FakeTrack("audio", "built-in"));
  wishes.update({ microphone: { deviceId: "usb", label: "USB" } });
  await drained();
  before.onended?.();
  await drained();
  const opened = answers.map((answer, n) => {
    const track = new FakeTrack("audio", `usb-${n}`);
    answer({ track: asTrack(track) });
    return track;
  });
  await drained();
  expect(sent.at(-1)?.[1]).toMatch(/^usb/);
  devices.close();
  expect(opened.slice(1).map((track) => track.stopped)).toEqual([true]);
});

test("a permission that is taken away is called that, not unplugged", async () => {
  const track = await talking(new FakeTrack("audio"));
  track.onended?.();
  await drained();
  answers.at(-1)?.({ problem: "blocked" });
  await drained();
  expect(phases.at(-1)).toBe("microphone failed blocked");
});

test("nothing is opened any more once the devices were let go for good", async () => {
  devices.close();
  await devices.set("camera", true);
  await devices.prepare("microphone");
  expect(answers).toEqual([]);
  expect(phases).toEqual([]);
});
