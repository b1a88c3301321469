import { expect, test } from "vitest";
import { PathWatch, receivedBytes } from "./pathWatch";

const report = (...entries: object[]) => new Map(entries.map((entry, index) => [String(index), entry]));

test("what arrived is the transport's word, or that of its pairs where it says nothing", () => {
  const pairs = [
    { type: "candidate-pair", bytesReceived: 5 },
    { type: "candidate-pair", bytesReceived: 7 },
  ];
  expect(receivedBytes(report({ type: "transport", bytesReceived: 10 }, ...pairs))).toBe(10);
  expect(receivedBytes(report(...pairs, { type: "inbound-rtp", bytesReceived: 99 }))).toBe(12);
  expect(receivedBytes(report({ type: "transport" }, { type: "codec" }))).toBeNull();
});

test("silence counts from when something last arrived", () => {
  const watch = new PathWatch();
  watch.read(100, 0);
  watch.read(200, 100);
  expect(watch.silentMs).toBe(0);
  watch.read(200, 500);
  watch.read(200, 900);
  expect(watch.silentMs).toBe(800);
  watch.read(201, 1_000);
  expect(watch.silentMs).toBe(0);
});

test("a page that slept looks first, and does not take its own silence for the network's", () => {
  const watch = new PathWatch();
  watch.read(100, 0);
  watch.read(200, 100);
  watch.read(900, 60_000);
  expect(watch.silentMs).toBe(0);
});

test("what has never heard anything is not silent yet", () => {
  const watch = new PathWatch();
  watch.read(0, 0);
  watch.read(0, 5_000);
  expect(watch.silentMs).toBe(0);
});

test("another connection begins anew", () => {
  const watch = new PathWatch();
  watch.read(100, 0);
  watch.read(200, 100);
  watch.read(10, 5_000);
  watch.read(10, 9_000);
  expect(watch.silentMs).toBe(0);
  watch.read(20, 9_100);
  watch.read(null, 9_200);
  watch.read(0, 20_000);
  expect(watch.silentMs).toBe(0);
});
