import { expect, test } from "vitest";
import { ApiError } from "../api/http";
import { Renewal } from "./renewal";

const S = 1_000_000;
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

function setUp(fetch: () => Promise<string> = () => Promise.resolve("fresh")) {
  const said: string[] = [];
  let asked = 0;
  const renewal = new Renewal({
    fetch: () => {
      asked += 1;
      return fetch();
    },
    say: (token) => said.push(token) > 0,
  });
  return { renewal, said, asked: () => asked };
}

test("a fresh token is said in time before the old one ends, and once", async () => {
  const { renewal, said } = setUp();
  renewal.expires(600 * S, 0);
  renewal.look(509 * S, 509_000);
  await settle();
  expect(said).toEqual([]);
  for (const second of [510, 511, 512]) renewal.look(second * S, second * 1000);
  await settle();
  expect(said).toEqual(["fresh"]);
  renewal.expires(1_110 * S, 513 * S);
  renewal.look(900 * S, 900_000);
  await settle();
  expect(said).toEqual(["fresh"]);
  renewal.look(1_021 * S, 1_021_000);
  await settle();
  expect(said).toEqual(["fresh", "fresh"]);
});

test("a short life is renewed after two thirds of it", async () => {
  const { renewal, said } = setUp();
  renewal.expires(9 * S, 0);
  renewal.look(5.9 * S, 5_900);
  await settle();
  expect(said).toEqual([]);
  renewal.look(6 * S, 6_000);
  await settle();
  expect(said).toEqual(["fresh"]);
});

test("a machine that slept through it renews on waking", async () => {
  const { renewal, said } = setUp();
  renewal.expires(600 * S, 0);
  renewal.look(4_000 * S, 1_000);
  await settle();
  expect(said).toEqual(["fresh"]);
});

test("a server out of reach is asked again after a while", async () => {
  const errors = [new ApiError(0, "offline", ""), new ApiError(503, "unavailable", "")];
  const { renewal, said, asked } = setUp(() => {
    const error = errors.shift();
    return error === undefined ? Promise.resolve("fresh") : Promise.reject(error);
  });
  renewal.expires(600 * S, 0);
  for (let ms = 520_000; ms < 535_000; ms += 250) {
    renewal.look(ms * 1000, ms);
    await settle();
  }
  expect(asked()).toBe(3);
  expect(said).toEqual(["fresh"]);
});

test("a refused token is replaced, a decision is not asked for again", async () => {
  const { renewal, said } = setUp();
  renewal.expires(600 * S, 0);
  renewal.look(520 * S, 520_000);
  await settle();
  renewal.refused(520_500);
  renewal.look(525 * S, 525_000);
  renewal.look(525.5 * S, 525_500);
  await settle();
  expect(said).toEqual(["fresh", "fresh"]);

  const decided = setUp(() => Promise.reject(new ApiError(403, "forbidden", "")));
  decided.renewal.expires(600 * S, 0);
  for (const second of [520, 540, 560]) {
    decided.renewal.look(second * S, second * 1000);
    await settle();
  }
  expect(decided.asked()).toBe(1);
});

test("a connection that needs no renewing, or whose clock is unknown, is left alone", async () => {
  const { renewal, asked } = setUp();
  renewal.expires(null, 0);
  renewal.look(9_999 * S, 1);
  renewal.expires(600 * S, 0);
  renewal.look(null, 1);
  await settle();
  expect(asked()).toBe(0);
});
