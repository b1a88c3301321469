import { beforeEach, expect, test, vi } from "vitest";
import type { Captured } from "./devices";
import { asTrack, drained, FakeStream, FakeTrack } from "./fakePeerConnection";
import { OwnDevices } from "./ownDevices";
import type { OwnSource } from "./publisher";

let sent: [OwnSource, boolean][];
let phases: string[];
let answers: ((captured: Captured) => void)[];
let devices: OwnDevices;

beforeEach(() => {
  vi.stubGlobal("MediaStream", FakeStream);
  [sent, phases, answers] = [[], [], []];
  devices = new OwnDevices(
    {
      send: (source, track) => {
        sent.push([source, track !== null]);
        return Promise.resolve();
      },
      changed: (source, state) =>
        phases.push(`${source} ${state.phase}${state.phase === "failed" ? ` ${state.problem}` : ""}`),
    },
    () => new Promise((resolve) => answers.push(resolve)),
  );
});

async function grant(track: FakeTrack): Promise<void> {
  answers.at(-1)?.({ track: asTrack(track) });
  await drained();
}

test("nothing is asked of the browser before it is wanted", async () => {
  await devices.set("microphone", false);
  expect(answers).toEqual([]);
});

test("talking again after muting does not ask the browser again", async () => {
  const track = new FakeTrack("audio");
  void devices.set("microphone", true);
  await grant(track);
  await devices.set("microphone", false);
  await devices.set("microphone", true);
  expect(answers).toHaveLength(1);
  expect(track.stopped).toBe(false);
  expect(phases).toEqual(["microphone asking", "microphone on", "microphone muted", "microphone on"]);
  expect(sent.map(([, on]) => on)).toEqual([true, false, true]);
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
  expect(sent).toEqual([["microphone", false]]);
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

test("an unplugged microphone is noticed", async () => {
  const track = new FakeTrack("audio");
  void devices.set("microphone", true);
  await grant(track);
  track.onended?.();
  await drained();
  expect(phases.at(-1)).toBe("microphone failed unplugged");
  expect(sent.at(-1)).toEqual(["microphone", false]);
});

test("what the server refuses is switched off", async () => {
  const track = new FakeTrack("audio");
  void devices.set("microphone", true);
  await grant(track);
  await devices.refused();
  expect(track.stopped).toBe(true);
  expect(phases.at(-1)).toBe("microphone failed refused-by-server");
});

test("leaving lets all devices go", async () => {
  const track = new FakeTrack("audio");
  void devices.set("microphone", true);
  await grant(track);
  devices.close();
  expect(track.stopped).toBe(true);
});
