import { beforeEach, expect, test } from "vitest";
import { track } from "../room/fixtures";
import { asTrack, FakeTrack } from "./fakePeerConnection";
import { MediaMonitor, type FeedReading, type MonitoredState, type QualityChange } from "./monitor";

let now: number;
let state: MonitoredState;
let monitor: MediaMonitor;
let changes: QualityChange[];

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
    layers: new Map(),
    limits: { good_delay_ms: 200, fair_delay_ms: 300, good_frame_rate: 24, fair_frame_rate: 15 },
  };
  changes = [];
  monitor = new MediaMonitor(
    () => state,
    { serverTimeUs },
    () => now,
  );
  monitor.onJudgement = (change) => changes.push(change) > 0;
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

let sent = { packetsReceived: 0, packetsLost: 0 };

function packets(lostOf100: number) {
  const { packetsReceived, packetsLost } = sent;
  sent = { packetsReceived: packetsReceived + 100 - lostOf100, packetsLost: packetsLost + lostOf100 };
  return { ...sent, frameWidth: 1920, frameHeight: 1080 };
}

/** Shows frames 1/30 s apart until `untilMs`, each `ageMs` old, with statistics every half second. */
function play(untilMs: number, ageMs: number, lostOf100 = 0): void {
  const startedMs = now;
  for (let frames = 0; now < untilMs; frames += 1, now = startedMs + frames * (1000 / 30)) {
    monitor.frameShown("u", (now - ageMs) * 90, now);
    if (frames % 15 === 0) {
      const inbound = { type: "inbound-rtp", kind: "video", trackIdentifier: "remote-u" };
      monitor.statsRead(new Map([["I", { ...inbound, ...packets(lostOf100), framesDecoded: frames }]]));
      monitor.publish();
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
    lossPercent: 0,
    lowered: null,
    stoppedForS: null,
  });
});

test("the first frame makes a picture live at once", () => {
  expect(reading().status).toBe("waiting");
  monitor.frameShown("u", null, now);
  expect(monitor.readings.get().feeds.get("u")?.status).toBe("live");
});

test("a picture that has just begun is not judged yet", () => {
  capturedAt(0);
  play(12_000, 83);
  expect(reading()).toMatchObject({ status: "live", ageMs: 83, judgement: null });
  expect(changes).toEqual([]);
});

test("without a capture clock the age is unknown, not guessed", () => {
  play(13_000, 83);
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

test("speech is heard where sound has energy; it ends after some silence, not at every breath", () => {
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
  now += 500;
  monitor.statsRead(audio(0.1, 2));
  monitor.publish();
  expect(monitor.readings.get().speaking.size).toBe(1);
  now += 1_000;
  monitor.publish();
  expect(monitor.readings.get().speaking.size).toBe(0);
});

test("the first judgement and every change of it are reported, with what was measured", () => {
  capturedAt(0);
  play(13_000, 83);
  play(16_000, 250);
  expect(changes.map(({ feed, judgement }) => [feed, judgement])).toEqual([
    ["u", "good"],
    ["u", "fair"],
  ]);
  expect(changes[1]?.delay_ms).toBeCloseTo(250);
  expect(changes[1]?.frame_rate).toBeCloseTo(30, 0);
  expect(changes[1]?.loss).toBe(0);
});

test("a change that could not be told is told as soon as that is possible, and once", () => {
  let away = true;
  monitor.onJudgement = (change) => !away && changes.push(change) > 0;
  capturedAt(0);
  play(13_000, 83);
  expect(changes).toEqual([]);
  away = false;
  play(15_000, 83);
  expect(changes.map(({ judgement }) => judgement)).toEqual(["good"]);
});

test("on a new connection the judgement is told anew", () => {
  capturedAt(0);
  play(13_000, 83);
  monitor.forgetClocks();
  capturedAt(0);
  play(16_000, 83);
  expect(changes.map(({ judgement }) => judgement)).toEqual(["good", "good"]);
});

test("lost packets that nobody repaired are told and judged", () => {
  capturedAt(0);
  play(16_000, 83, 10);
  expect(reading()).toMatchObject({ lossPercent: 10, judgement: "poor" });
});

test("faces and screens are judged for the viewer, but not reported", () => {
  capturedAt(0);
  state = { ...state, tracks: [track("u", { source: "camera" })] };
  play(13_000, 83);
  expect(reading().judgement).toBe("good");
  expect(changes).toEqual([]);
});

test("a shared screen on which little happens is neither stopped nor poor", () => {
  state = { ...state, tracks: [track("u", { source: "screen" })] };
  capturedAt(0);
  for (let frames = 0; now < 20_000; frames += 1, now += 1_500) {
    monitor.frameShown("u", (now - 83) * 90, now);
    const inbound = { type: "inbound-rtp", kind: "video", trackIdentifier: "remote-u" };
    monitor.statsRead(new Map([["I", { ...inbound, framesDecoded: frames }]]));
  }
  expect(reading()).toMatchObject({ status: "live", judgement: "good" });
});

test("who speaks is the same set until somebody else does", () => {
  monitor.frameShown("u", null, now);
  const before = monitor.readings.get();
  now += 3_000;
  monitor.publish();
  expect(monitor.readings.get()).not.toBe(before);
  expect(monitor.readings.get().speaking).toBe(before.speaking);
});

/** The decoder goes on for so long; what comes on screen is told elsewhere. */
function decode(untilMs: number): void {
  for (let frames = 1_000; now < untilMs; frames += 15, now += 500) {
    const inbound = { type: "inbound-rtp", kind: "video", trackIdentifier: "remote-u" };
    monitor.statsRead(new Map([["I", { ...inbound, ...packets(0), framesDecoded: frames }]]));
  }
}

test("a picture that stands still on a visible page is not live, whatever the decoder does", () => {
  const gone = monitor.shownBy("u", () => true);
  play(11_000, 83);
  decode(13_000);
  expect(reading()).toMatchObject({ status: "stalled", ageMs: null, judgement: null });
  gone();
  decode(14_000);
  expect(reading().status).toBe("live");
});

test("a picture on a hidden page lives as long as it is decoded", () => {
  monitor.shownBy("u", () => false);
  play(11_000, 83);
  decode(13_000);
  expect(reading().status).toBe("live");
});

test("of two places that show a picture one that can be seen decides", () => {
  monitor.shownBy("u", () => false);
  const wall = monitor.shownBy("u", () => true);
  play(11_000, 83);
  decode(13_000);
  expect(reading().status).toBe("stalled");
  wall();
  decode(14_000);
  expect(reading().status).toBe("live");
});

test("a picture that comes smaller than it is shown says why, and is fair at best", () => {
  capturedAt(0);
  play(13_000, 83);
  expect(reading()).toMatchObject({ judgement: "good", lowered: null });
  state = { ...state, layers: new Map([["u", { layer: "q", lowered: "network" }]]) };
  play(15_000, 83);
  expect(reading()).toMatchObject({ status: "live", judgement: "fair", lowered: "network" });
  expect(changes.map(({ judgement }) => judgement)).toEqual(["good", "fair"]);
});

test("a picture the network has no room for is held at once, and that is told as poor", () => {
  capturedAt(0);
  play(13_000, 83);
  state = { ...state, layers: new Map([["u", { layer: null, lowered: "network" }]]) };
  expect(reading()).toMatchObject({ status: "held", ageMs: null, judgement: null });
  reading();
  expect(changes.map(({ judgement }) => judgement)).toEqual(["good", "poor"]);
  state = { ...state, layers: new Map([["u", { layer: "q", lowered: null }]]) };
  play(16_000, 83);
  expect(reading()).toMatchObject({ status: "live", judgement: "good" });
  expect(changes.at(-1)?.judgement).toBe("good");
});

test("a box's slate is shown as no signal, and is not judged as a slow picture", () => {
  const signal = { state: "none" as const, trouble: "no_signal" as const, width: 0, height: 0 };
  state = { ...state, tracks: [track("u", { signal })] };
  capturedAt(0);
  for (let frames = 0; now < 20_000; frames += 1, now += 1_500) {
    monitor.frameShown("u", (now - 83) * 90, now);
    const inbound = { type: "inbound-rtp", kind: "video", trackIdentifier: "remote-u" };
    monitor.statsRead(new Map([["I", { ...inbound, framesDecoded: frames }]]));
    expect(reading()).toMatchObject({ status: "no-signal", judgement: null });
  }
  expect(changes).toEqual([]);
});
