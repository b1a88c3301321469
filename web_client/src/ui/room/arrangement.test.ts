import { describe, expect, test } from "vitest";
import { person, track } from "../../room/fixtures";
import { feedsOf } from "../../room/feeds";
import {
  arranged,
  merged,
  moved,
  movedIndex,
  pageOf,
  sidePlaces,
  wallColumns,
  type Direction,
} from "./arrangement";
import { RememberedArrangement } from "./remembered";

test.each([
  [1, 1440, 800, 1],
  [2, 1440, 800, 2],
  [3, 1440, 800, 2],
  [4, 1440, 800, 2],
  [5, 1440, 800, 3],
  [9, 3840, 2000, 3],
  [16, 3840, 2000, 4],
  [16, 3440, 1300, 6],
])("%i pictures in %i × %i stand in %i columns", (count, width, height, columns) => {
  expect(wallColumns(count, width, height, 40)).toBe(columns);
});

test("on a phone held upright they stand below one another", () => {
  expect(wallColumns(3, 390, 700, 40)).toBe(1);
});

test("no size at all still gives a column", () => {
  expect(wallColumns(4, 0, 0, 40)).toBeGreaterThanOrEqual(1);
});

describe("a person's own order", () => {
  const feeds = feedsOf({
    me: null,
    departed: [],
    participants: [person("box")],
    tracks: ["endoscope", "theatre", "ultrasound"].map((id) => track(id)),
  });
  const ids = (remembered: string[]) => arranged(feeds, remembered).map((feed) => feed.id);

  test("stands as remembered", () => {
    expect(ids(["ultrasound", "theatre", "endoscope"])).toEqual(["ultrasound", "theatre", "endoscope"]);
  });

  test("nothing remembered leaves the usual order", () => {
    expect(arranged(feeds, [])).toBe(feeds);
  });

  test("a new picture comes where it would stand by itself; a missing one leaves no hole", () => {
    expect(ids(["ultrasound", "monitor", "endoscope"])).toEqual(["ultrasound", "endoscope", "theatre"]);
  });

  test("moving puts one at its new place and keeps the others' order", () => {
    expect(moved(["a", "b", "c", "d"], "d", 1)).toEqual(["a", "d", "b", "c"]);
    expect(moved(["a", "b", "c"], "a", 9)).toEqual(["b", "c", "a"]);
    expect(moved(["a", "b"], "gone", 0)).toEqual(["a", "b"]);
  });

  test("merging keeps the base's order and everybody's neighbours", () => {
    expect(merged(["c", "a"], ["a", "b", "c", "d"])).toEqual(["c", "d", "a", "b"]);
    expect(merged([], ["x", "y"])).toEqual(["x", "y"]);
  });

  test.each<[number, Direction, number]>([
    [4, "ArrowLeft", 3],
    [4, "ArrowRight", 5],
    [4, "ArrowUp", 1],
    [4, "ArrowDown", 7],
    [0, "ArrowLeft", 0],
    [1, "ArrowUp", 0],
    [7, "ArrowDown", 7],
  ])("in three columns of eight, from %i %s leads to %i", (index, key, expected) => {
    expect(movedIndex(index, key, 3, 8)).toBe(expected);
  });
});

describe("remembered in the browser", () => {
  const memory = () => {
    const stored = new Map<string, string>();
    return {
      stored,
      getItem: (key: string) => stored.get(key) ?? null,
      setItem: (key: string, value: string) => void stored.set(key, value),
    };
  };

  test("each person has an order of their own", () => {
    const storage = memory();
    new RememberedArrangement(storage, "u_wang").write(["b", "a"]);
    expect(new RememberedArrangement(storage, "u_wang").read()).toEqual(["b", "a"]);
    expect(new RememberedArrangement(storage, "u_li").read()).toEqual([]);
  });

  test("what is not here today is not forgotten", () => {
    const remembered = new RememberedArrangement(memory(), "u");
    remembered.write(["a", "b", "c"]);
    expect(remembered.write(["c", "a"])).toEqual(["c", "a", "b"]);
  });

  test.each(["{", '{"a":1}', '[1,null,"a"]', "null"])("survives nonsense in storage: %s", (nonsense) => {
    const storage = memory();
    storage.stored.set("teleconsult.arrangement.u", nonsense);
    expect(new RememberedArrangement(storage, "u").read().every((place) => place === "a")).toBe(true);
  });

  test("a browser that stores nothing still arranges", () => {
    const refusing = {
      getItem: () => null,
      setItem: () => {
        throw new Error("quota");
      },
    };
    expect(new RememberedArrangement(refusing, "u").write(["b", "a"])).toEqual(["b", "a"]);
  });
});

test("a wall of more than sixteen has pages, and never shows an empty one", () => {
  const all = Array.from({ length: 23 }, (_, index) => index);
  expect(pageOf(all, 0)).toMatchObject({ page: 0, pages: 2 });
  expect(pageOf(all, 1).shown).toEqual([16, 17, 18, 19, 20, 21, 22]);
  expect(pageOf(all.slice(0, 10), 1)).toMatchObject({ page: 0, pages: 1 });
  expect(pageOf([], 0)).toEqual({ shown: [], page: 0, pages: 1 });
});

test("beside the picture in focus, pictures stand one below the other and faces two in a row under them", () => {
  const tiles = [
    { id: "theatre", small: false },
    { id: "li", small: true },
    { id: "monitor", small: false },
    { id: "wang", small: true },
    { id: "self", small: true },
  ];
  const rows = [...sidePlaces(tiles)].map(([id, { row, column }]) => [id, row, column]);
  expect(rows).toEqual([
    ["theatre", 1, 1],
    ["monitor", 2, 1],
    ["li", 3, 1],
    ["wang", 3, 2],
    ["self", 4, 1],
  ]);
});
