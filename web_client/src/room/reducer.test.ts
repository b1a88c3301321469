import { expect, test } from "vitest";
import type { ServerMessage } from "../protocol/messages";
import { entry, offer, person, track, welcome } from "./fixtures";
import { CHAT_KEPT_MESSAGES, DEPARTED_SHOWN_MS, reduce, type RoomEvent } from "./reducer";
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

test("recording changes are shown with what is wrong, and that goes with them", () => {
  const failed = {
    type: "recording_changed",
    state: "failed",
    problem: "disk_full",
    reason: "ENOSPC",
  } as const;
  const state = after(joined, said(failed));
  expect(state.consultation).toMatchObject({ recording: "failed", recording_problem: "disk_full" });
  const again = { type: "recording_changed", state: "recording", problem: "", reason: "" } as const;
  expect(reduce(state, said(again)).consultation).toMatchObject({
    recording: "recording",
    recording_problem: "",
  });
});

test("the end of the consultation is the end here", () => {
  expect(after(joined, said({ type: "consultation_ended" })).ending).toEqual({ kind: "consultation-ended" });
});

test("one device's state leaves the other alone", () => {
  const state = after({ type: "device", source: "camera", device: { phase: "failed", problem: "in-use" } });
  expect(state.devices).toEqual({
    microphone: { phase: "off" },
    camera: { phase: "failed", problem: "in-use" },
    screen: { phase: "off" },
  });
});

test("a guest waits in the lobby until the welcome comes", () => {
  const waiting = after(
    said({ type: "waiting", participant: person("me"), room: "demo", site: "Clinic", server_time_us: 0 }),
  );
  expect(waiting).toMatchObject({ waiting: true, site: "Clinic", participants: [] });
  expect(reduce(waiting, joined).waiting).toBe(false);
});

test("hosts see who knocks, each once, until it ends", () => {
  const knock = said({ type: "knock", participant: person("guest") });
  const state = after(said(welcome({ host: true, lobby: [person("early")] })), knock, knock);
  expect(state.lobby.map((one) => one.participant_id)).toEqual(["early", "guest"]);
  const ended = said({ type: "knock_ended", participant_id: "guest", reason: "left", by: "" });
  expect(reduce(state, ended).lobby.map((one) => one.participant_id)).toEqual(["early"]);
});

test("chat keeps the server's order, has everything once, and does not grow for ever", () => {
  const history = [entry("1", { at_us: 1 }), entry("2", { at_us: 2 })];
  const state = after(
    said(welcome({ chat: history })),
    said({ type: "chat_added", entry: entry("4", { at_us: 4 }) }),
    said({ type: "chat_added", entry: entry("3", { at_us: 3 }) }),
    said({ type: "chat_added", entry: entry("3", { at_us: 3 }) }),
  );
  expect(state.chat.map((one) => one.chat_id)).toEqual(["1", "2", "3", "4"]);
  const many = Array.from({ length: CHAT_KEPT_MESSAGES + 5 }, (_, n) => entry(`m${n}`, { at_us: 10 + n }));
  expect(reduce(state, said(welcome({ chat: many }))).chat).toHaveLength(CHAT_KEPT_MESSAGES);
});

test("a resumed welcome brings what was missed and takes nothing away", () => {
  const state = after(
    said(welcome({ chat: [entry("1", { at_us: 1 })] })),
    said(welcome({ chat: [entry("2", { at_us: 2 })] })),
  );
  expect(state.chat.map((one) => one.chat_id)).toEqual(["1", "2"]);
});

test("only what comes while one is here is announced, not the history", () => {
  const state = after(said(welcome({ chat: [entry("1")] })));
  expect(state.latestChat).toBeNull();
  expect(reduce(state, said({ type: "chat_added", entry: entry("2") })).latestChat?.chat_id).toBe("2");
});

test("a privacy pause says who and since when, and is no longer asked for", () => {
  const asked = after(joined, { type: "pause-asked", paused: true });
  const paused = reduce(asked, said({ type: "paused_changed", paused: true, by: "Li", at_us: 7 }));
  expect(paused).toMatchObject({ pausedBy: "Li", pausedSinceUs: 7, pauseAsked: null });
  expect(paused.consultation?.paused).toBe(true);
  const on = reduce(paused, said({ type: "paused_changed", paused: false, by: "Li", at_us: 9 }));
  expect(on).toMatchObject({ pausedSinceUs: null, consultation: { paused: false } });
});

test("a refused pause is not waited for", () => {
  const refused = said({ type: "error", code: "not_host", message: "", about: "set_paused", ref: null });
  expect(after(joined, { type: "pause-asked", paused: true }, refused).pauseAsked).toBeNull();
});

test("being away is counted from the first loss, and over when the room is back", () => {
  const lost = (reason: "network" | "restarting", nowMs: number): RoomEvent => ({
    type: "link",
    state: "reconnecting",
    reason,
    nowMs,
  });
  const away = after(joined, lost("network", 100), lost("restarting", 900));
  expect(away.away).toEqual({ sinceMs: 100, reason: "restarting" });
  expect(reduce(away, { type: "link", state: "joined", reason: null, nowMs: 950 }).away).toBeNull();
});

const layer = (over: Partial<Extract<ServerMessage, { type: "layer_changed" }>> = {}) =>
  said({ type: "layer_changed", track_id: "ultrasound", layer: "q", lowered: "network", ...over });
const layersAfter = (...events: RoomEvent[]) => [...after(joined, ...events).layers];

test("which layer comes, and why no better one, is known of each picture as it was said last", () => {
  expect(layersAfter(layer())).toEqual([["ultrasound", { layer: "q", lowered: "network" }]]);
  expect(layersAfter(layer(), layer({ layer: null }))).toEqual([
    ["ultrasound", { layer: null, lowered: "network" }],
  ]);
  expect(layersAfter(layer(), layer({ layer: "f", lowered: null }))).toEqual([
    ["ultrasound", { layer: "f", lowered: null }],
  ]);
});

test("nothing is said any more of a picture that is gone, nor of one on a connection before", () => {
  expect(layersAfter(layer(), said({ type: "track_removed", track_id: "ultrasound" }))).toEqual([]);
  expect(layersAfter(layer(), said(offer({ fresh: true })))).toEqual([]);
  expect(layersAfter(layer(), said(offer({ fresh: false })))).toHaveLength(1);
});

test("recording as a host asked for it is pending until the server says so, or why not", () => {
  const asking = [said(welcome()), { type: "record-asked", record: false }] satisfies RoomEvent[];
  const asked = after(...asking);
  expect(asked.recordAsked).toBe(false);
  const refused = after(
    ...asking,
    said({ type: "error", code: "too_fast", message: "", about: "set_record", ref: null }),
  );
  expect(refused).toMatchObject({ recordAsked: null, recordProblem: "too_fast" });
  const changed = said({ type: "record_changed", record: false, by: "Li", at_us: 1 });
  expect(after(...asking, changed)).toMatchObject({
    recordAsked: null,
    recordBy: "Li",
    consultation: { record: false },
  });
  expect(after(...asking, changed, said(welcome()))).toMatchObject({
    recordBy: "",
    consultation: { record: true },
  });
});

test("opinions are shown each once, in the order in which they were filed", () => {
  const opinion = (id: string, at_us: number) => ({
    ...{ opinion_id: id, ref: id, person: "u", name: "Wang", organisation: "", text: id },
    at_us,
  });
  const told = after(
    said(welcome({ opinions: [opinion("b", 2)] })),
    said({ type: "opinion_written", opinion: opinion("a", 1) }),
    said({ type: "opinion_written", opinion: opinion("b", 2) }),
  );
  expect(told.opinions.map(({ opinion_id: id }) => id)).toEqual(["a", "b"]);
});
