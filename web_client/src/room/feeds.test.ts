import { expect, test } from "vitest";
import { feedsOf, focusedFeed, isHuman, peopleOf, shownStatus } from "./feeds";
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

test("sound, oneself and switched-off cameras are no pictures", () => {
  const tracks = [
    track("a", { kind: "audio" }),
    track("own", { participant_id: "me", source: "camera" }),
    { ...camera, muted: true },
  ];
  expect(feedsOf(room({ tracks }))).toEqual([]);
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
