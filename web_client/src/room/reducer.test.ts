import { expect, test } from "vitest";
import type { ServerMessage } from "../protocol/messages";
import { offer, person, track, welcome } from "./fixtures";
import { DEPARTED_SHOWN_MS, reduce, type RoomEvent } from "./reducer";
import { initialState, type RoomState } from "./state";

const said = (message: ServerMessage, nowMs = 0): RoomEvent => ({ type: "message", message, nowMs });
const after = (...events: RoomEvent[]): RoomState => events.reduce(reduce, initialState("demo"));
const joined = said(welcome());

test("the welcome says who is here and what there is", () => {
  const state = after(joined);
  expect(state.me?.participant_id).toBe("me");
  expect(state.participants).toHaveLength(2);
  expect(state.tracks.map((one) => one.track_id)).toEqual(["ultrasound"]);
  expect(state.consultation?.header).toBe("张*三");
});

test("people come, come again and go", () => {
  const came = said({ type: "participant_joined", participant: person("li") });
  const renamed = said({ type: "participant_joined", participant: person("li", { name: "Li" }) });
  const state = after(joined, came, renamed);
  expect(state.participants.filter((one) => one.participant_id === "li")).toEqual([
    person("li", { name: "Li" }),
  ]);
  const gone = reduce(state, said({ type: "participant_left", participant_id: "li", reason: "left" }));
  expect(gone.participants).toHaveLength(2);
  expect(gone.ending).toBeNull();
});

test("being removed ends the stay", () => {
  const state = after(joined, said({ type: "participant_left", participant_id: "me", reason: "removed" }));
  expect(state.ending).toEqual({ kind: "removed" });
});

test("a track changes in its place and is added only once", () => {
  const theatre = said({ type: "track_added", track: track("theatre") });
  const stopped = said({ type: "track_changed", track: track("ultrasound", { live: false }) });
  const state = after(joined, theatre, theatre, stopped);
  expect(state.tracks.map((one) => [one.track_id, one.live])).toEqual([
    ["ultrasound", false],
    ["theatre", true],
  ]);
});

test("a device picture that goes stays named for a while, a face does not", () => {
  const camera = track("cam", { feed: "li", source: "camera", participant_id: "li" });
  const state = after(
    said(welcome({ tracks: [track("t1", { feed: "ultrasound" }), camera] })),
    said({ type: "track_removed", track_id: "t1" }, 5_000),
    said({ type: "track_removed", track_id: "cam" }, 5_000),
  );
  expect(state.departed).toEqual([{ feed: "ultrasound", participantId: "box", sinceMs: 5_000 }]);
  const soon = reduce(state, { type: "tick", nowMs: 5_000 + DEPARTED_SHOWN_MS - 1 });
  expect(soon).toBe(state);
  expect(reduce(state, { type: "tick", nowMs: 5_000 + DEPARTED_SHOWN_MS }).departed).toEqual([]);
});

test("a picture that comes back under a new track is not departed any more", () => {
  const state = after(
    joined,
    said({ type: "track_removed", track_id: "ultrasound" }, 1),
    said({ type: "track_added", track: track("t2", { feed: "ultrasound" }) }, 2),
  );
  expect(state.departed).toEqual([]);
});

test("what disappeared while the connection was away counts as departed", () => {
  const state = after(joined, said(welcome({ tracks: [] }), 9));
  expect(state.departed.map((one) => one.feed)).toEqual(["ultrasound"]);
});

test("what this browser cannot decode is told by the offer", () => {
  const state = after(joined, said(offer({ unsupported: [{ track_id: "ultrasound", codec: "H264" }] })));
  expect(state.unsupported.get("ultrasound")).toBe("H264");
  expect(reduce(state, said(offer())).unsupported.size).toBe(0);
});

test("recording changes are shown with their reason", () => {
  const state = after(joined, said({ type: "recording_changed", state: "failed", reason: "disk full" }));
  expect(state.consultation?.recording).toBe("failed");
  expect(state.recordingReason).toBe("disk full");
});

test("the end of the consultation is the end here", () => {
  expect(after(joined, said({ type: "consultation_ended" })).ending).toEqual({ kind: "consultation-ended" });
});

test("one device's state leaves the other alone", () => {
  const state = after({ type: "device", source: "camera", device: { phase: "failed", problem: "in-use" } });
  expect(state.devices).toEqual({
    microphone: { phase: "off" },
    camera: { phase: "failed", problem: "in-use" },
  });
});
