import { beforeEach, expect, test } from "vitest";
import type { Publish, Published } from "../protocol/messages";
import { track as info } from "../room/fixtures";
import { asTrack, drained, FakePeerConnections, FakeTrack } from "./fakePeerConnection";
import { Publisher } from "./publisher";

let peers: FakePeerConnections;
let publisher: Publisher;
let offers: Omit<Publish, "type">[];
let muted: [string, boolean][];
const microphone = asTrack(new FakeTrack("audio"));
const camera = asTrack(new FakeTrack("video"));

const mine = info("t-mic", { kind: "audio", source: "microphone" });
const face = info("t-cam", { source: "camera" });
const published = (...tracks: Published["tracks"]): Published => ({
  type: "published",
  transport_id: "p_1",
  answer: "answer",
  tracks,
});

beforeEach(() => {
  [peers, offers, muted] = [new FakePeerConnections(), [], []];
  publisher = new Publisher(
    {
      publish: (message) => offers.push(message),
      muted: (trackId, now) => muted.push([trackId, now]),
      state: () => undefined,
      failed: () => expect.fail("negotiation failed"),
    },
    peers.create,
  );
});

test("the first track makes a connection and an offer that names its source", async () => {
  await publisher.setTrack("microphone", microphone);
  expect(offers).toEqual([
    { offer: "offer 1 ice 0", sources: [{ mid: "0", source: "microphone" }], transport_id: null },
  ]);
});

test("nothing is connected for somebody who only watches", async () => {
  await publisher.setTrack("microphone", null);
  await publisher.restartIce();
  await publisher.resume();
  await publisher.rebuild();
  expect(peers.made).toEqual([]);
});

test("one offer is out at a time: the second track waits for the answer", async () => {
  await publisher.setTrack("microphone", microphone);
  await publisher.setTrack("camera", camera);
  expect(offers).toHaveLength(1);
  await publisher.published(published(mine));
  expect(offers).toHaveLength(2);
  expect(offers[1]).toMatchObject({
    transport_id: "p_1",
    sources: [
      { mid: "0", source: "microphone" },
      { mid: "1", source: "camera" },
    ],
  });
});

test("muting takes the track off the wire and tells the room, without an offer", async () => {
  await publisher.setTrack("microphone", microphone);
  await publisher.published(published(mine));
  await publisher.setTrack("microphone", null);
  expect(peers.last.transceivers[0]?.sender.track).toBeNull();
  await publisher.setTrack("microphone", microphone);
  expect(peers.last.transceivers[0]?.sender.track).toBe(microphone);
  expect(muted).toEqual([
    ["t-mic", true],
    ["t-mic", false],
  ]);
  expect(offers).toHaveLength(1);
});

test("muted before the answer came, it is told as soon as the track has a name", async () => {
  await publisher.setTrack("microphone", microphone);
  await publisher.setTrack("microphone", null);
  expect(muted).toEqual([]);
  await publisher.published(published(mine));
  expect(muted).toEqual([["t-mic", true]]);
});

test("an ICE restart offers again on the same transport", async () => {
  await publisher.setTrack("microphone", microphone);
  await publisher.published(published(mine));
  await publisher.restartIce();
  expect(offers[1]).toMatchObject({ offer: "offer 2 ice 1", transport_id: "p_1" });
  expect(peers.made).toHaveLength(1);
});

test("after the room connection broke, an offer that was out is made again", async () => {
  await publisher.setTrack("microphone", microphone);
  await publisher.resume();
  expect(offers).toHaveLength(2);
});

test("after the room connection broke, a healthy connection only repeats who is muted", async () => {
  await publisher.setTrack("microphone", microphone);
  await publisher.published(published(mine));
  peers.last.becomes("connected");
  await publisher.setTrack("microphone", null);
  await publisher.resume();
  expect(offers).toHaveLength(1);
  expect(muted).toEqual([
    ["t-mic", true],
    ["t-mic", true],
  ]);
});

test("when the media server lost it, everything is published anew, muted things muted", async () => {
  await publisher.setTrack("microphone", microphone);
  await publisher.published(published(mine));
  await publisher.setTrack("camera", camera);
  await publisher.published(published(mine, face));
  await publisher.setTrack("camera", null);
  muted = [];
  await publisher.rebuild();
  expect(peers.made.map((peer) => peer.closed)).toEqual([true, false]);
  expect(peers.last.transceivers.map((one) => one.sender.track)).toEqual([microphone, null]);
  expect(offers.at(-1)).toMatchObject({ transport_id: null });
  await publisher.published(published(mine, face));
  expect(muted).toEqual([["t-cam", true]]);
});

test("a refused offer does not block the next", async () => {
  await publisher.setTrack("microphone", microphone);
  publisher.refused();
  publisher.close();
  await publisher.setTrack("microphone", microphone);
  await drained();
  expect(offers).toHaveLength(2);
});
