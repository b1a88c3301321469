import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseEvents, type RoomEvent } from "../events";
import { ArchivedDrawings, pictureOf } from "./archived";

interface Look {
  feed: string;
  at_us: number;
  shown_us: number;
  marks: {
    mark_id: string;
    points: number;
    colour: string;
    opacity: number;
    motion: number[];
    unsure: boolean;
  }[];
  pointers: { person: string; x: number; y: number }[];
}

/** Made by `tests/annotation/replay_vectors.py`, from what films show. */
const vectors = JSON.parse(
  readFileSync(new URL("../../../../tests/vectors/annotation/replay.json", import.meta.url), "utf8"),
) as { epoch_us: number; lines: object[]; looks: Look[] };
const events = parseEvents(vectors.lines.map((line) => JSON.stringify(line)).join("\n"), vectors.epoch_us);
const UNMOVED = [1, 0, 0, 1, 0, 0];

function read(all: readonly RoomEvent[]): ArchivedDrawings {
  const drawings = new ArchivedDrawings(vectors.epoch_us);
  for (const event of all) expect(drawings.take(event)).toBe(true);
  return drawings;
}

function looked(drawings: ArchivedDrawings, { feed, at_us: atUs, shown_us: shownUs }: Look) {
  const { seen, pointers } = drawings.at(feed, atUs, shownUs);
  const marks = seen
    .filter(({ opacity }) => opacity > 0)
    .map(({ mark, opacity, motion, doubt }) => ({
      mark_id: mark.mark_id,
      points: mark.points.length,
      colour: mark.colour,
      opacity: Math.round(opacity * 1e6) / 1e6,
      motion: [...(motion ?? UNMOVED)],
      unsure: doubt === "unsure",
    }));
  return { marks, pointers: pointers.map(({ person, x, y }) => ({ person, x, y })) };
}

const wanted = ({ marks, pointers }: Look) => ({ marks, pointers });

/** The same numbers always, in [0, 1). */
function* chance(): Generator<number, never> {
  for (let state = 12_345; ;) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    yield state / 2 ** 31;
  }
}

function shuffled<Value>(values: readonly Value[]): Value[] {
  const numbers = chance();
  return values
    .map((value) => ({ value, key: numbers.next().value }))
    .sort((one, other) => one.key - other.key)
    .map(({ value }) => value);
}

test("the replay shows at each moment what a film shows", () => {
  const drawings = read(events);
  for (const look of vectors.looks) expect(looked(drawings, look), String(look.at_us)).toEqual(wanted(look));
});

test("going back and forth shows the same", () => {
  const drawings = read(events);
  for (const look of shuffled(vectors.looks)) expect(looked(drawings, look)).toEqual(wanted(look));
});

test("what was read while it was already shown changes nothing of what is shown in the end", () => {
  const drawings = new ArchivedDrawings(vectors.epoch_us);
  const numbers = chance();
  for (const event of events) {
    drawings.take(event);
    const look = vectors.looks[Math.floor(numbers.next().value * vectors.looks.length)];
    if (look !== undefined) looked(drawings, look);
  }
  for (const look of vectors.looks) expect(looked(drawings, look)).toEqual(wanted(look));
});

test("every mark is listed once, where it belongs", () => {
  const listed = read(events).events;
  const put = vectors.lines.flatMap((line) => {
    const { changes = [] } = line as { changes?: { put: { mark_id: string }[] }[] };
    return changes.flatMap((change) => change.put.map((mark) => mark.mark_id));
  });
  expect(listed).toHaveLength(new Set(put).size);
  expect(listed.every(({ atUs, who }) => atUs >= 0 && atUs < 24e6 && who !== "")).toBe(true);
});

test("a line that is not as it should be hides nothing", () => {
  const drawings = read(events);
  const broken = {
    atUs: 5,
    type: "annotations_changed",
    fields: { type: "annotations_changed", feed: "ultrasound" },
  };
  expect(drawings.take(broken)).toBe(true);
  expect(drawings.take({ atUs: 5, type: "chat_added", fields: {} })).toBe(false);
  for (const look of vectors.looks) expect(looked(drawings, look)).toEqual(wanted(look));
});

test("a shared screen has drawings of its own", () => {
  expect(pictureOf({ feed: "p_1", input: "screen" })).toBe("p_1-screen");
  expect(pictureOf({ feed: "ultrasound", input: "device" })).toBe("ultrasound");
});

test("in an archive of 40,000 operations any moment is found within a picture's time", () => {
  const drawings = new ArchivedDrawings(0);
  const strokes = 400;
  for (let seq = 1, mark = 0; mark < strokes; mark += 1) {
    const feed = { type: "annotations_changed", feed: "f", document_id: "d" };
    const id = `m${mark}`;
    for (let piece = 0; piece < 100; piece += 1, seq += 1) {
      const added = {
        mark_id: id,
        feed: "f",
        anchor: "screen",
        fade_after_ms: null,
        points: [0.5, 0.5],
        pressures: [],
      };
      const extended = { mark_id: id, start: piece, points: [0.5, 0.5], pressures: [], changed_us: 0 };
      const change =
        piece === 0
          ? { seq, op: "add", removed: mark > 99 ? [`m${mark - 100}`] : [], put: [added], extended: null }
          : { seq, op: "extend", removed: [], put: [], extended };
      drawings.take({ atUs: seq * 1000, type: feed.type, fields: { ...feed, changes: [change] } });
    }
  }
  const numbers = chance();
  const took = Array.from({ length: 60 }, () => {
    const atUs = numbers.next().value * strokes * 100_000;
    const began = performance.now();
    const { seen } = drawings.at("f", atUs, atUs);
    expect(seen).toHaveLength(Math.min(100, Math.ceil(Math.floor(atUs / 1000) / 100)));
    return performance.now() - began;
  }).sort((one, other) => one - other);
  expect(took[30]).toBeLessThan(16);
});
