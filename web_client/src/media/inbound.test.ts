import { expect, test } from "vitest";
import { inboundByTrack, isSpeech, srtpCipher, unrepairedLossShare, type InboundStats } from "./inbound";

const report = new Map<string, unknown>([
  ["I1", { type: "inbound-rtp", kind: "video", trackIdentifier: "v", framesDecoded: 40, frameWidth: 1920 }],
  ["I2", { type: "inbound-rtp", kind: "audio", trackIdentifier: "a", totalAudioEnergy: 0.5 }],
  ["I3", { type: "inbound-rtp", kind: "video" }],
  ["O1", { type: "outbound-rtp", kind: "video", trackIdentifier: "x" }],
  ["T0", { type: "transport", srtpCipher: "AEAD_AES_256_GCM" }],
  ["S", "nonsense"],
]);

const stats = (over: Partial<InboundStats>): InboundStats => ({
  kind: "video",
  trackIdentifier: "v",
  framesDecoded: 0,
  frameWidth: 0,
  frameHeight: 0,
  freezeCount: 0,
  packetsReceived: 0,
  packetsLost: 0,
  retransmittedPacketsReceived: 0,
  totalAudioEnergy: 0,
  totalSamplesDuration: 0,
  ...over,
});

test("streams are found by their track; what a browser does not tell is zero", () => {
  const found = inboundByTrack(report);
  expect([...found.keys()]).toEqual(["v", "a"]);
  expect(found.get("v")).toEqual(stats({ framesDecoded: 40, frameWidth: 1920 }));
  expect(found.get("a")?.totalAudioEnergy).toBe(0.5);
});

test("the cipher is the transport's", () => {
  expect(srtpCipher(report)).toBe("AEAD_AES_256_GCM");
  expect(srtpCipher(new Map([["T", { type: "transport" }]]))).toBeNull();
});

test("repaired packets are not lost ones", () => {
  const before = stats({ packetsReceived: 1_000, packetsLost: 10 });
  const after = { packetsReceived: 1_090, packetsLost: 20 };
  expect(unrepairedLossShare(before, stats({ ...after, retransmittedPacketsReceived: 10 }))).toBe(0);
  expect(unrepairedLossShare(before, stats(after))).toBe(0.1);
  expect(unrepairedLossShare(before, before)).toBe(0);
});

test("speech is loud enough energy for the time it took", () => {
  const quiet = stats({ totalAudioEnergy: 1, totalSamplesDuration: 10 });
  const spoken = stats({ totalAudioEnergy: 1.01, totalSamplesDuration: 10.5 });
  const hiss = stats({ totalAudioEnergy: 1.00001, totalSamplesDuration: 10.5 });
  expect(isSpeech(quiet, spoken)).toBe(true);
  expect(isSpeech(quiet, hiss)).toBe(false);
  expect(isSpeech(quiet, quiet)).toBe(false);
});
