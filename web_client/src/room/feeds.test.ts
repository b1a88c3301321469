import { expect, test } from "vitest";
import {
  feedsOf,
  focusedFeed,
  groupedPeople,
  headCount,
  heardTracks,
  isHuman,
  loweredFeeds,
  otherSeats,
  peopleOf,
  shownStatus,
} from "./feeds";
import { person, track } from "./fixtures";

const me = person("me");
const li = person("li", { name: "Nurse Li", role: "site" });
const box = person("box", { role: "device" });
const room = (over: Partial<Parameters<typeof feedsOf>[0]> = {}) => ({
  me,
  participants: [me, li, box],
  tracks: [],
  departed: [],
  ...over,
});
const camera = track("cam", { feed: "li", source: "camera", participant_id: "li" });

test("device pictures come first by name, then screens, then faces", () => {
  const screen = track("scr", { feed: "li", source: "screen", participant_id: "li" });
  const feeds = feedsOf(room({ tracks: [camera, screen, track("ultrasound"), track("theatre")] }));
  expect(feeds.map((feed) => [feed.id, feed.kind, feed.name])).toEqual([
    ["theatre", "device", "theatre"],
    ["ultrasound", "device", "ultrasound"],
    ["li-screen", "screen", "Nurse Li"],
    ["li", "person", "Nurse Li"],
  ]);
});

test("sound and oneself are no pictures", () => {
  const tracks = [track("a", { kind: "audio" }), track("own", { participant_id: "me", source: "camera" })];
  expect(feedsOf(room({ tracks }))).toEqual([]);
});

test("a camera that is switched off keeps its place and says so, whatever its last frame was", () => {
  const [face] = feedsOf(room({ tracks: [{ ...camera, muted: true }] }));
  expect(face && shownStatus(face, { status: "live" })).toBe("off");
});

test("a paused picture is paused at once, even when its last frame has just come", () => {
  const [picture] = feedsOf(room({ tracks: [track("ultrasound", { paused: true })] }));
  expect(picture && shownStatus(picture, { status: "live" })).toBe("paused");
});

test("devices are remembered by feed name, people by who they are, not by their seat", () => {
  const known = person("seat-7", { name: "Nurse Li", person: "u_li" });
  const tracks = [
    track("ultrasound"),
    track("c", { feed: "seat-7", source: "camera", participant_id: "seat-7" }),
    track("s", { feed: "seat-7", source: "screen", participant_id: "seat-7" }),
  ];
  const feeds = feedsOf(room({ participants: [me, known, box], tracks }));
  expect(feeds.map((feed) => feed.place)).toEqual(["ultrasound", "u_li-screen", "u_li"]);
});

test("a picture keeps its place when it comes back under a new track", () => {
  const before = feedsOf(room({ tracks: [track("t1", { feed: "a" }), track("t2", { feed: "b" })] }));
  const later = feedsOf(room({ tracks: [track("t2", { feed: "b" }), track("t9", { feed: "a" })] }));
  expect(later.map((feed) => feed.id)).toEqual(before.map((feed) => feed.id));
});

test("a picture that is gone is expected back while its device is here, else it has left", () => {
  const departed = [{ feed: "ultrasound", participantId: "box", sinceMs: 1 }];
  const [here] = feedsOf(room({ departed }));
  const [gone] = feedsOf(room({ departed, participants: [me] }));
  expect(here && shownStatus(here, null)).toBe("reconnecting");
  expect(gone && shownStatus(gone, null)).toBe("left");
});

test("the chosen picture is large while it exists, else the first", () => {
  const feeds = feedsOf(room({ tracks: [track("a"), track("b")] }));
  expect(focusedFeed(feeds, "b")?.id).toBe("b");
  expect(focusedFeed(feeds, "gone")?.id).toBe("a");
  expect(focusedFeed([], "a")).toBeNull();
});

test("people are listed before machines, with what can be heard and seen of them", () => {
  const microphone = track("mic", { kind: "audio", source: "microphone", participant_id: "li", muted: true });
  const people = peopleOf(room({ participants: [box, li, me], tracks: [microphone, camera] }));
  expect(people.map((one) => [one.participant.participant_id, one.microphone, one.camera])).toEqual([
    ["me", "none", "none"],
    ["li", "muted", "on"],
    ["box", "none", "none"],
  ]);
  expect(people[1]?.audioTrackId).toBe("mic");
  expect(people.filter((one) => isHuman(one.participant))).toHaveLength(2);
});

const seat = (id: string, who: string) => person(id, { person: who, name: who });
const twoSeats = {
  me: seat("me", "wang"),
  participants: [seat("me", "wang"), seat("tablet", "wang"), seat("li", "li"), box],
  tracks: [
    track("mine", { kind: "audio", source: "microphone", participant_id: "me" }),
    track("tablet", { kind: "audio", source: "microphone", participant_id: "tablet" }),
    track("li", { kind: "audio", source: "microphone", participant_id: "li" }),
  ],
};

test("two seats of one person are one person", () => {
  expect(groupedPeople(twoSeats).map(({ key, seats, isMe }) => [key, seats.length, isMe])).toEqual([
    ["li", 1, false],
    ["wang", 2, true],
    ["box", 1, false],
  ]);
  expect(headCount(twoSeats)).toBe(2);
  expect(otherSeats(twoSeats).map((one) => one.participant_id)).toEqual(["tablet"]);
});

test("people of whom the server says no more than the seat are not thrown together", () => {
  const nameless = { me: person("me"), participants: [person("me"), person("x")], tracks: [] };
  expect(groupedPeople(nameless)).toHaveLength(2);
  expect(otherSeats(nameless)).toEqual([]);
});

test("one's own voice is never played, not from the other seat either", () => {
  expect(heardTracks(twoSeats).map((one) => one.track_id)).toEqual(["li"]);
});

test("a paused picture says so to whoever shows it", () => {
  const paused = room({ tracks: [track("ultrasound", { paused: true })] });
  expect(feedsOf(paused)[0]?.paused).toBe(true);
});

test("of what the network does not carry, devices' pictures are named first", () => {
  const tracks = [camera, track("ultrasound"), track("theatre"), track("arm")];
  const layers = new Map([
    ["cam", { layer: null, lowered: "network" as const }],
    ["theatre", { layer: "q", lowered: "network" as const }],
    ["ultrasound", { layer: null, lowered: "network" as const }],
    ["arm", { layer: "q", lowered: "source" as const }],
  ]);
  const { held, smaller } = loweredFeeds({ ...room({ tracks }), layers });
  expect(held.map((feed) => feed.name)).toEqual(["ultrasound", "Nurse Li"]);
  expect(smaller.map((feed) => feed.name)).toEqual(["theatre"]);
});

test("only a picture of a capture box with a seat here has somebody who follows its tissue", () => {
  const encoder = person("encoder", { role: "device", sends_only: true });
  const tracks = [
    track("ultrasound"),
    track("obs", { participant_id: "encoder" }),
    track("scr", { feed: "li", source: "screen", participant_id: "li" }),
  ];
  const feeds = feedsOf(room({ participants: [me, li, box, encoder], tracks }));
  expect(feeds.map(({ id, boxed }) => [id, boxed])).toEqual([
    ["obs", false],
    ["ultrasound", true],
    ["li-screen", false],
  ]);
});
