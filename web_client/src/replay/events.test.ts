import { describe, expect, it } from "vitest";
import { marksOf, parseEvents } from "./events";

const EPOCH_US = 1_760_000_000_000_000;
const lines = (...events: object[]) => events.map((event) => JSON.stringify(event)).join("\n");

describe("events", () => {
  it("skips lines that are none, and keeps the others", () => {
    const text = `${lines({ at_us: 5, type: "knock" })}\nbroken\n{"type":"no time"}\n`;
    expect(parseEvents(text, EPOCH_US)).toMatchObject([{ atUs: 5, type: "knock" }]);
  });

  it("takes times since 1970 for what they are", () => {
    const [event] = parseEvents(lines({ at_us: EPOCH_US + 7, type: "paused_changed" }), EPOCH_US);
    expect(event?.atUs).toBe(7);
  });

  it("names people where an event has only an id, and puts marks in order", () => {
    const events = parseEvents(
      lines(
        { at_us: 9, type: "participant_left", participant_id: "p_1", reason: "left" },
        { at_us: 1, type: "room_state", participants: [{ participant_id: "p_1", name: "Dr Wang 王" }] },
        { at_us: 4, type: "chat_added", entry: { name: "Dr Bai", text: "Look", files: [{ name: "a.png" }] } },
        { at_us: 6, type: "paused_changed", paused: true, by: "Li" },
        { at_us: 7, type: "capture_clock" },
        { at_us: 8, type: "track_added", track: { feed: "p_1", kind: "audio" } },
      ),
      EPOCH_US,
    );
    expect(marksOf(events)).toMatchObject([
      { atUs: 4, kind: "chat", who: "Dr Bai", what: "Look · a.png" },
      { atUs: 6, kind: "pause", who: "Li", on: true },
      { atUs: 8, kind: "feed", who: "Dr Wang 王" },
      { atUs: 9, kind: "people", who: "Dr Wang 王" },
    ]);
  });
});
