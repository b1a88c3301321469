import { beforeEach, expect, test, vi } from "vitest";
import type { Publish, Published } from "../protocol/messages";
import { track as info } from "../room/fixtures";
import { asTrack, drained, FakePeerConnections, FakeTrack } from "./fakePeerConnection";
import { Preferences } from "./preferences";
import { Publisher } from "./publisher";

let peers: FakePeerConnections;
let publisher: Publisher;
let offers: Omit<Publish, "type">[];
let muted: [string, boolean][];
let wishes: Preferences;
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
  wishes = new Preferences(null);
  [peers, offers, muted] = [new FakePeerConnections(), [], []];
  publisher = new Publisher(
    {
      publish: (message) => offers.push(message),
      muted: (trackId, now) => muted.push([trackId, now]),
      state: () => undefined,
      failed: () => expect.fail("negotiation failed"),
    },
    peers.create,
    wishes,
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

const screen = asTrack(new FakeTrack("video", "screen"));
const shared = info("t-scr", { source: "screen" });

test("a screen that is no longer shared leaves the offer, and comes back on the same connection", async () => {
  await publisher.setTrack("microphone", microphone);
  await publisher.published(published(mine));
  await publisher.setTrack("screen", screen);
  await publisher.published(published(mine, shared));
  await publisher.setTrack("screen", null);
  expect(peers.last.transceivers[1]).toMatchObject({ direction: "inactive", sender: { track: null } });
  await publisher.published(published(mine));
  await publisher.setTrack("screen", screen);
  expect(peers.last.transceivers[1]).toMatchObject({ direction: "sendonly", sender: { track: screen } });
  expect(offers).toHaveLength(4);
  expect(peers.made).toHaveLength(1);
  expect(muted).toEqual([]);
});

test("another screen in place of the shared one needs no offer", async () => {
  await publisher.setTrack("screen", screen);
  await publisher.published(published(shared));
  await publisher.setTrack("screen", asTrack(new FakeTrack("video", "another")));
  expect(offers).toHaveLength(1);
});

test("a screen that is not shared is not published anew", async () => {
  await publisher.setTrack("microphone", microphone);
  await publisher.setTrack("screen", screen);
  await publisher.setTrack("screen", null);
  await publisher.rebuild();
  expect(peers.last.transceivers).toHaveLength(1);
});

test("the profile decides how much the sound may take, without an offer", async () => {
  const rate = () => peers.last.transceivers[0]?.sender.getParameters().encodings[0]?.maxBitrate;
  await publisher.setTrack("microphone", microphone);
  await publisher.published(published(mine));
  const before = rate();
  wishes.update({ profile: "music" });
  await publisher.microphoneChanged();
  expect([before, rate()]).toEqual([48_000, 128_000]);
  expect(offers).toHaveLength(1);
});

test("an answer to an offer of the connection before is not taken for an answer to this one", async () => {
  await publisher.setTrack("microphone", microphone);
  await publisher.rebuild();
  await publisher.published({ ...published(mine), transport_id: "p_old", answer: "to the old offer" });
  expect(peers.last.remote).toEqual([]);
  await publisher.published({ ...published(mine), transport_id: "p_new", answer: "to the new offer" });
  expect(peers.last.remote).toEqual(["to the new offer"]);
  await publisher.restartIce();
  expect(offers.at(-1)).toMatchObject({ transport_id: "p_new" });
});

test("a refusal of the connection before does not let the answer to this one go by", async () => {
  await publisher.setTrack("microphone", microphone);
  await publisher.rebuild();
  expect(publisher.refused()).toBe(false);
  await publisher.published(published(mine));
  expect(peers.last.remote).toEqual(["answer"]);
});

test("after a broken room connection nobody waits for answers that went with it", async () => {
  await publisher.setTrack("microphone", microphone);
  await publisher.rebuild();
  await publisher.resume();
  await publisher.published(published(mine));
  expect(peers.last.remote).toEqual(["answer"]);
});

test("an offer the browser could not make is reported, and does not block the next", async () => {
  const failed: string[] = [];
  const other = new Publisher(
    {
      publish: (message) => offers.push(message),
      muted: () => undefined,
      state: () => undefined,
      failed: (reason) => failed.push(reason),
    },
    peers.create,
    wishes,
  );
  await other.setTrack("microphone", microphone);
  await other.published(published(mine));
  vi.spyOn(peers.last, "createOffer").mockRejectedValueOnce(new Error("busy"));
  await other.setTrack("camera", camera);
  expect(failed).toEqual(["Error: busy"]);
  await other.restartIce();
  expect(offers).toHaveLength(2);
});

test("a connection that is closed while its offer is made fails nobody", async () => {
  await publisher.setTrack("microphone", microphone);
  await publisher.published(published(mine));
  let reject: (error: Error) => void = () => undefined;
  vi.spyOn(peers.last, "setLocalDescription").mockReturnValueOnce(
    new Promise((_, refuse) => {
      reject = refuse;
    }),
  );
  const sharing = publisher.setTrack("camera", camera);
  await drained();
  publisher.close();
  reject(new Error("closed"));
  await expect(sharing).resolves.toBeUndefined();
});

test("a sender that takes no other rate now goes on as it is", async () => {
  await publisher.setTrack("microphone", microphone);
  const sender = peers.last.transceivers[0]?.sender ?? expect.fail("nothing is sent");
  vi.spyOn(sender, "setParameters").mockRejectedValueOnce(new Error("busy"));
  await expect(publisher.microphoneChanged()).resolves.toBeUndefined();
});

const hd = (): MediaStreamTrack => {
  const made = new FakeTrack("video");
  made.settings = { width: 1280, height: 720 };
  return asTrack(made);
};
const encodings = (index = 0) =>
  peers.last.transceivers[index]?.sender.getParameters().encodings ?? expect.fail("nothing is sent");
const activeRids = () =>
  encodings()
    .filter(({ active }) => active ?? true)
    .map(({ rid }) => rid);

test("a camera is sent in layers, a screen and a microphone once", async () => {
  await publisher.setTrack("camera", hd());
  await publisher.setTrack("screen", hd());
  await publisher.setTrack("microphone", microphone);
  expect(encodings(0).map(({ rid }) => rid)).toEqual(["q", "h", "f"]);
  expect(encodings(1)).toHaveLength(1);
  expect(encodings(2)).toHaveLength(1);
});

test("layers that nobody watches rest, and go on when they are wanted", async () => {
  await publisher.setTrack("camera", hd());
  await publisher.published(published(face));
  await publisher.layersWanted("t-cam", ["q"]);
  expect(activeRids()).toEqual(["q"]);
  await publisher.layersWanted("t-cam", ["q", "f"]);
  expect(activeRids()).toEqual(["q", "f"]);
  await publisher.layersWanted("t-other", []);
  expect(activeRids()).toEqual(["q", "f"]);
  expect(offers).toHaveLength(1);
});

test("what is wanted may be said before the track has a name", async () => {
  await publisher.setTrack("camera", hd());
  await publisher.layersWanted("t-cam", ["q", "h"]);
  expect(activeRids()).toEqual(["q", "h", "f"]);
  await publisher.published(published(face));
  expect(activeRids()).toEqual(["q", "h"]);
});

test("published anew, all layers are sent until the server says otherwise of the new track", async () => {
  await publisher.setTrack("camera", hd());
  await publisher.published(published(face));
  await publisher.layersWanted("t-cam", ["q"]);
  await publisher.rebuild();
  await publisher.published(published(face));
  expect(activeRids()).toEqual(["q", "h", "f"]);
});

test("ways found after an ICE restart precede those from before it", async () => {
  const way = (ufrag: string) => `a=ice-ufrag:${ufrag}\r\na=candidate:1 1 udp 77 192.0.2.1 8443 typ host\r\n`;
  const ranks = () => peers.last.remote.map((sdp) => Number(/udp (\d+) /.exec(sdp)?.[1]));
  await publisher.setTrack("microphone", microphone);
  await publisher.published({ ...published(mine), answer: way("a") });
  await publisher.restartIce();
  await publisher.published({ ...published(mine), answer: way("b") });
  const [before = NaN, after] = ranks();
  expect(after).toBeGreaterThan(before);
  await publisher.rebuild();
  await publisher.published({ ...published(mine), answer: way("c") });
  expect(ranks()).toEqual([before]);
});
