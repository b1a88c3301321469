import { beforeEach, expect, test, vi } from "vitest";
import { offer } from "../room/fixtures";
import { drained, FakePeerConnections, FakeStream } from "./fakePeerConnection";
import { Subscriber, type RemoteTrack } from "./subscriber";

let peers: FakePeerConnections;
let subscriber: Subscriber;
let answers: [number, string][];
let tracks: ReadonlyMap<string, RemoteTrack>;
let failures: string[];

beforeEach(() => {
  vi.stubGlobal("MediaStream", FakeStream);
  [peers, answers, tracks, failures] = [new FakePeerConnections(), [], new Map(), []];
  subscriber = new Subscriber(
    {
      answer: (revision, sdp) => answers.push([revision, sdp]),
      tracks: (now) => (tracks = now),
      state: () => undefined,
      failed: (reason) => failures.push(reason),
    },
    peers.create,
  );
});

test("an offer is answered with its revision, and its tracks are known by name", async () => {
  const named = [
    { mid: "0", track_id: "ultrasound" },
    { mid: "1", track_id: "voice" },
  ];
  subscriber.offered(offer({ sdp: "video:0 audio:1", revision: 7, tracks: named }));
  await drained();
  expect(answers).toEqual([[7, "answer to video:0 audio:1"]]);
  expect([...tracks].map(([id, { track }]) => [id, track.id])).toEqual([
    ["ultrasound", "remote-0"],
    ["voice", "remote-1"],
  ]);
});

test("pictures are shown without delay; sound keeps its own buffer", async () => {
  const named = [
    { mid: "0", track_id: "p" },
    { mid: "1", track_id: "s" },
  ];
  subscriber.offered(offer({ sdp: "video:0 audio:1", tracks: named }));
  await drained();
  expect(peers.last.transceivers.map((one) => one.receiver.jitterBufferTarget)).toEqual([0, null]);
});

test("a later offer changes the same connection; streams that stay are the same objects", async () => {
  subscriber.offered(offer({ sdp: "video:0", tracks: [{ mid: "0", track_id: "a" }] }));
  await drained();
  const before = tracks.get("a");
  const both = [
    { mid: "0", track_id: "a" },
    { mid: "1", track_id: "b" },
  ];
  subscriber.offered(offer({ revision: 2, fresh: false, sdp: "video:0 video:1", tracks: both }));
  await drained();
  expect(peers.made).toHaveLength(1);
  expect(tracks.get("a")).toBe(before);
  expect(tracks.has("b")).toBe(true);
});

test("a fresh offer replaces the connection", async () => {
  subscriber.offered(offer({ sdp: "video:0" }));
  await drained();
  subscriber.offered(offer({ sdp: "video:0", revision: 2 }));
  await drained();
  expect(peers.made.map((peer) => peer.closed)).toEqual([true, false]);
});

test("of several waiting offers only the newest is applied, and freshness is not forgotten", async () => {
  subscriber.offered(offer({ sdp: "video:0" }));
  await drained();
  const first = peers.last;
  subscriber.offered(offer({ revision: 2, fresh: false, sdp: "video:0" }));
  subscriber.offered(offer({ revision: 3, fresh: true, sdp: "video:0" }));
  subscriber.offered(offer({ revision: 4, fresh: false, sdp: "video:0 video:1" }));
  await drained();
  expect(answers.map(([revision]) => revision)).toEqual([1, 2, 4]);
  expect(first.closed).toBe(true);
  expect(peers.made).toHaveLength(2);
});

test("after closing nothing is answered any more", async () => {
  subscriber.offered(offer({ sdp: "video:0" }));
  subscriber.close();
  await drained();
  expect(answers).toEqual([]);
  expect(peers.last.closed).toBe(true);
});

test("an offer that cannot be applied is reported, and the next one is taken", async () => {
  subscriber.offered(offer({ sdp: "video:0" }));
  await drained();
  peers.last.breaks = true;
  subscriber.offered(offer({ revision: 2, fresh: false }));
  await drained();
  expect(failures).toHaveLength(1);
  subscriber.offered(offer({ revision: 3 }));
  await drained();
  expect(answers.at(-1)?.[0]).toBe(3);
});

const way = (ufrag: string) => `a=ice-ufrag:${ufrag}\r\na=candidate:1 1 udp 77 192.0.2.1 8443 typ host\r\n`;
const rankOf = (sdp: string | undefined) => Number(/udp (\d+) /.exec(sdp ?? "")?.[1]);

test("ways found after an ICE restart precede those from before it, until the connection is another one", async () => {
  const ranks: number[] = [];
  for (const [ufrag, fresh] of [
    ["a", true],
    ["a", false],
    ["b", false],
    ["c", true],
  ] as const) {
    subscriber.offered(offer({ sdp: way(ufrag), fresh }));
    await drained();
    ranks.push(rankOf(peers.last.remote.at(-1)));
  }
  const [first = NaN, again, restarted, rebuilt] = ranks;
  expect([again, rebuilt]).toEqual([first, first]);
  expect(restarted).toBeGreaterThan(first);
});
