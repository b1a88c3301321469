import { beforeEach, expect, test } from "vitest";
import { ApiError } from "../../api/http";
import type { Consultation } from "../../api/types";
import { consultationOf } from "../testData";
import { Lookout, matches } from "./listing";

const DAY_US = 24 * 3_600_000_000;
const NOW_US = 100 * DAY_US;

let open: Consultation[];
let closed: Consultation[];
let failing: boolean;
let asked: string[];
let lookout: Lookout;

beforeEach(() => {
  [open, closed, failing, asked] = [[consultationOf("a")], [], false, []];
  lookout = new Lookout(
    (state) => {
      asked.push(state);
      if (failing) return Promise.reject(new ApiError(0, "offline", ""));
      return Promise.resolve(structuredClone(state === "open" ? open : closed));
    },
    () => NOW_US / 1000,
  );
});

const ids = (all: readonly Consultation[] | null) => all?.map((one) => one.consultation_id);

test("open ones are shown, and what changed appears at the next look", async () => {
  await lookout.look();
  expect(ids(lookout.store.get().open)).toEqual(["a"]);
  open = [{ ...consultationOf("a"), people: 3 }, consultationOf("b")];
  await lookout.look();
  expect(lookout.store.get().open?.map((one) => one.people)).toEqual([3, 0]);
});

test("a look that finds nothing new changes nothing on screen", async () => {
  await lookout.look();
  let changes = 0;
  lookout.store.subscribe(() => (changes += 1));
  await lookout.look();
  expect(changes).toBe(0);
});

test("while the service is out of reach the last list stays, and says that it is old", async () => {
  await lookout.look();
  failing = true;
  await lookout.look();
  expect(lookout.store.get()).toMatchObject({ failed: true });
  expect(ids(lookout.store.get().open)).toEqual(["a"]);
  failing = false;
  await lookout.look();
  expect(lookout.store.get().failed).toBe(false);
});

test("a service that never answered leaves no list at all", async () => {
  failing = true;
  await lookout.look();
  expect(lookout.store.get()).toEqual({ open: null, closed: [], failed: true });
});

test("closed ones of the last seven days are kept, older ones are not", async () => {
  closed = [
    { ...consultationOf("young"), state: "closed", closed_at_us: NOW_US - 6 * DAY_US },
    { ...consultationOf("old"), state: "closed", closed_at_us: NOW_US - 8 * DAY_US },
  ];
  await lookout.look();
  expect(ids(lookout.store.get().closed)).toEqual(["young"]);
});

test("closed ones are asked for at first, when an open one went, and seldom otherwise", async () => {
  await lookout.look();
  await lookout.look();
  expect(asked).toEqual(["open", "closed", "open"]);
  [open, closed] = [[], [{ ...consultationOf("a"), state: "closed", closed_at_us: NOW_US }]];
  await lookout.look();
  expect(asked.at(-1)).toBe("closed");
  expect(ids(lookout.store.get().closed)).toEqual(["a"]);
});

test("looks do not overtake each other", async () => {
  await Promise.all([lookout.look(), lookout.look()]);
  expect(asked).toEqual(["open", "closed"]);
});

test("after leaving the page nothing is shown any more", async () => {
  const looking = lookout.look();
  lookout.stop();
  await looking;
  expect(lookout.store.get().open).toBeNull();
});

test.each([
  ["张*三", true],
  ["CARDIO county", true],
  ["us-20", true],
  ["valve", true],
  ["", true],
  ["neuro", false],
  ["cardio neuro", false],
])("searching %j finds it: %s", (wanted, found) => {
  const one = {
    ...consultationOf("a"),
    header: "张*三 · 男 · 57 · US-20417",
    specialty: "Cardiology",
    site: "County Hospital",
    question: "Is the valve torn?",
  };
  expect(matches(one, wanted)).toBe(found);
});
