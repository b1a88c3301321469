import { beforeEach, expect, test } from "vitest";
import { track } from "../room/fixtures";
import { asTrack, FakeTrack } from "./fakePeerConnection";
import { MediaMonitor, type FeedReading, type MonitoredState } from "./monitor";

let now: number;
let state: MonitoredState;
let monitor: MediaMonitor;

/** The server's clock runs 1,000 s ahead of this page's. */
const serverTimeUs = (localMs: number) => localMs * 1_000 + 1_000_000_000;

const reading = (): FeedReading => {
  monitor.publish();
  return monitor.readings.get().feeds.get("u") ?? expect.fail("no reading");
};

beforeEach(() => {
  now = 10_000;
  const remote = (id: string, kind: "audio" | "video") => ({
    trackId: id,
    track: asTrack(new FakeTrack(kind, `remote-${id}`)),
    stream: {} as MediaStream,
  });
  state = {
    tracks: [track("u"), track("v", { kind: "audio", source: "microphone" })],
    remote: new Map([
      ["u", remote("u", "video")],
      ["v", remote("v", "audio")],
    ]),
    receiving: "connected",
    unsupported: new Map(),
  };
  monitor = new MediaMonitor(
    () => state,
    { serverTimeUs },
    () => now,
  );
});

function capturedAt(localMs: number): void {
  monitor.captureClock({
    type: "capture_clock",
    mid: "0",
    track_id: "u",
    rtp_timestamp: 0,
    clock_rate: 90_000,
    capture_time_us: serverTimeUs(localMs),
    uncertainty_us: 0,
  });
}

/** Shows frames 1/30 s apart until `untilMs`, each `ageMs` old, with statistics every half second. */
function play(untilMs: number, ageMs: number): void {
  const startedMs = now;
  for (let frames = 0; now < untilMs; frames += 1, now = startedMs + frames * (1000 / 30)) {
    monitor.frameShown("u", (now - ageMs) * 90, now);
    if (frames % 15 === 0) {
      const inbound = { type: "inbound-rtp", kind: "video", trackIdentifier: "remote-u" };
      monitor.statsRead(
        new Map([["I", { ...inbound, framesDecoded: frames, frameWidth: 1920, frameHeight: 1080 }]]),
      );
    }
  }
}

test("a picture that moves is live, with its age, rate, size and a judgement", () => {
  capturedAt(0);
  play(13_000, 83);
  expect(reading()).toEqual({
    status: "live",
    ageMs: 83,
    framesPerSecond: 30,
    width: 1920,
    height: 1080,
    judgement: "good",
    stoppedForS: null,
  });
});

test("the first frame makes a picture live at once", () => {
  expect(reading().status).toBe("waiting");
  monitor.frameShown("u", null, now);
  expect(monitor.readings.get().feeds.get("u")?.status).toBe("live");
});

test("without a capture clock the age is unknown, not guessed", () => {
  play(12_000, 83);
  expect(reading()).toMatchObject({ status: "live", ageMs: null, judgement: "good" });
});

test("a picture that stopped shows no age but how long ago, and is not judged", () => {
  capturedAt(0);
  play(12_000, 83);
  state = { ...state, tracks: [track("u", { live: false })] };
  now = 15_500;
  expect(reading()).toMatchObject({
    status: "no-signal",
    ageMs: null,
    framesPerSecond: null,
    judgement: null,
    stoppedForS: 3,
  });
});

test("clocks that disagree show no picture from the future", () => {
  capturedAt(0);
  play(12_000, -500);
  expect(reading().ageMs).toBe(0);
});

test("a new connection's timestamps are not read with the old clock", () => {
  capturedAt(0);
  play(12_000, 83);
  monitor.forgetClocks();
  monitor.frameShown("u", 5, now);
  capturedAt(0);
  play(14_000, 120);
  expect(reading().ageMs).toBe(120);
});

test("an unchanged picture gives the very same reading, so that nothing is drawn anew", () => {
  capturedAt(0);
  play(13_000, 83);
  reading();
  const before = monitor.readings.get();
  monitor.publish();
  expect(monitor.readings.get()).toBe(before);
});

test("speech is heard where sound has energy", () => {
  const audio = (energy: number, seconds: number) =>
    new Map([
      [
        "I",
        {
          type: "inbound-rtp",
          kind: "audio",
          trackIdentifier: "remote-v",
          totalAudioEnergy: energy,
          totalSamplesDuration: seconds,
        },
      ],
    ]);
  monitor.statsRead(audio(0, 1));
  monitor.statsRead(audio(0.1, 1.5));
  monitor.publish();
  expect([...monitor.readings.get().speaking]).toEqual(["v"]);
  monitor.statsRead(audio(0.1, 2));
  monitor.publish();
  expect(monitor.readings.get().speaking.size).toBe(0);
});
