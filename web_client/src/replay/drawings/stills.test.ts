import { expect, test } from "vitest";
import type { Still } from "../../protocol/messages";
import type { RoomEvent } from "../events";
import type { GapEntry } from "../format/entries";
import { toHex } from "../format/bytes";
import { ArchivedStills, stillPicture, stillShown } from "./stills";

const FEED = "theatre";
const TRACK = { name: "theatre-device-video", feed: FEED, input: "device" };
const PICTURE = new TextEncoder().encode("a picture");

function still(id: string, more: Partial<Still> = {}): Still {
  return {
    still_id: id,
    ref: "r",
    feed: FEED,
    captured_us: 1_000,
    person: "u",
    name: "Wang",
    at_us: 1,
    state: "ready",
    problem: "",
    file: null,
    width: 640,
    height: 360,
    ...more,
  };
}

const event = (atUs: number, type: string, fields: object): RoomEvent => ({
  atUs,
  type,
  fields: { ...fields },
});
const ready = (atUs: number, id: string) => event(atUs, "still_changed", { still: still(id) });
const unfrozen = (atUs: number, id: string) => event(atUs, "unfrozen", { still_id: id, feed: FEED });

function shown(events: readonly RoomEvent[], times: readonly number[]): (string | null)[] {
  const stills = new ArchivedStills();
  for (const one of events) stills.take(one);
  return times.map((atUs) => stills.at(FEED, atUs)?.still_id ?? null);
}

test("a frozen frame is there from when its picture came until it was put away", () => {
  const wanted = event(5, "frozen", { still: still("a", { state: "wanted" }) });
  const events = [wanted, ready(10, "a"), unfrozen(20, "a")];
  expect(shown(events, [9, 10, 19, 20])).toEqual([null, "a", "a", null]);
  expect(shown([...events].reverse(), [9, 10, 19, 20])).toEqual([null, "a", "a", null]);
});

test("the newest one is shown; put away, it is the live picture again and not an older one", () => {
  const events = [ready(10, "a"), ready(20, "b"), unfrozen(30, "b"), unfrozen(40, "a"), ready(50, "c")];
  expect(shown(events, [15, 25, 35, 45, 55])).toEqual(["a", "b", null, null, "c"]);
});

test("an older one that was frozen again is shown again, and putting away one that is not shown changes nothing", () => {
  const again = event(30, "frozen", { still: still("a") });
  expect(shown([ready(10, "a"), ready(20, "b"), again, unfrozen(40, "b")], [35, 45])).toEqual(["a", "a"]);
});

test("what the room says when the recorder comes back counts", () => {
  const back = (atUs: number, ...ids: string[]) =>
    event(atUs, "room_state", { stills: ids.map((id) => still(id)) });
  expect(shown([ready(10, "a"), back(20, "a"), back(30), back(40, "b")], [25, 35, 45])).toEqual([
    "a",
    null,
    "b",
  ]);
});

test("what failed, is of another feed, or is no still at all is not shown", () => {
  const failed = event(10, "still_changed", { still: still("a", { state: "failed" }) });
  const other = event(11, "still_changed", { still: still("b", { feed: "ultrasound" }) });
  const broken = [{}, { still: null }, { still: 5 }, { still: { state: "ready" } }, { stills: 7 }];
  const told = broken.map((fields) => event(12, "still_changed", fields));
  expect(shown([failed, other, ...told, event(13, "room_state", { stills: 7 })], [20])).toEqual([null]);
});

test("it is not shown while the site paused, nor when nobody recorded", () => {
  const stills = new ArchivedStills();
  stills.take(ready(10, "a"));
  const gap = (track: string | null, reason: string, begin: number, end: number) =>
    ({ track, reason, begin_us: begin, end_us: end }) as GapEntry;
  const gaps = [
    gap(TRACK.name, "privacy_pause", 20, 30),
    gap("monitor-device-video", "privacy_pause", 40, 50),
    gap(TRACK.name, "packet_loss", 60, 70),
    gap(null, "recording_stopped", 80, 90),
  ];
  const at = (atUs: number) => stillShown(stills, { gaps }, TRACK, atUs)?.still_id ?? null;
  expect([15, 25, 35, 45, 65, 85, 95].map(at)).toEqual(["a", null, "a", "a", "a", null, "a"]);
  expect(stillShown(stills, { gaps: [] }, { ...TRACK, input: "screen" }, 15)).toBeNull();
});

test("its picture is given out when it is what the room was told of, and else it is said why not", async () => {
  const sha256 = toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", PICTURE)));
  const file = { file_id: "a", name: "", media_type: "image/png", size_bytes: PICTURE.length, sha256 };
  const files = new Map([["a", { object: "files/000001.age", sha256: "sealed" }]]);
  const read: string[] = [];
  const load = (object: string, hash: string) => {
    read.push(object, hash);
    return Promise.resolve(PICTURE.slice().buffer);
  };
  const got = await stillPicture(still("a", { file }), { files }, load);
  expect(new Uint8Array(got)).toEqual(PICTURE);
  expect(read).toEqual(["files/000001.age", "sealed"]);
  const other = still("a", { file: { ...file, sha256: "00" } });
  await expect(stillPicture(other, { files }, load)).rejects.toMatchObject({ code: "altered" });
  await expect(stillPicture(still("a"), { files }, load)).rejects.toMatchObject({ code: "altered" });
  await expect(stillPicture(still("b", { file }), { files }, load)).rejects.toMatchObject({
    code: "missing",
  });
});
