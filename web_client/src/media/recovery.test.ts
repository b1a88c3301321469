import { expect, test } from "vitest";
import { MediaHealer } from "./healer";
import { IceRecovery } from "./recovery";

test("a healthy connection needs nothing", () => {
  const recovery = new IceRecovery();
  for (let ms = 0; ms < 60_000; ms += 250) expect(recovery.update("connected", ms)).toBeNull();
});

test("a connection gets six seconds to come up", () => {
  const recovery = new IceRecovery();
  expect(recovery.update("new", 0)).toBeNull();
  expect(recovery.update("connecting", 5_900)).toBeNull();
  expect(recovery.update("connecting", 6_000)).toBe("restart");
});

test("a lost one is restarted at once, twice, and then rebuilt", () => {
  const recovery = new IceRecovery();
  const remedies: [number, string][] = [];
  for (let ms = 0; ms <= 12_000; ms += 250) {
    const remedy = recovery.update("disconnected", ms);
    if (remedy !== null) remedies.push([ms, remedy]);
  }
  expect(remedies).toEqual([
    [0, "restart"],
    [4_000, "restart"],
    [8_000, "rebuild"],
    [12_000, "restart"],
  ]);
});

test("coming back resets the count", () => {
  const recovery = new IceRecovery();
  recovery.update("disconnected", 0);
  recovery.update("failed", 4_000);
  recovery.update("connected", 5_000);
  expect(recovery.update("disconnected", 5_100)).toBe("restart");
});

test("a connection that was closed on purpose is left alone", () => {
  expect(new IceRecovery().update("closed", 99_000)).toBeNull();
});

test("the healer treats each connection for itself, and not what is not there", () => {
  const done: string[] = [];
  const treat = (which: string) => ({
    restart: () => done.push(`restart ${which}`),
    rebuild: () => done.push(`rebuild ${which}`),
  });
  const healer = new MediaHealer(treat("receiving"), treat("sending"));
  healer.look(null, null, 0);
  healer.look("connected", "disconnected", 1_000);
  healer.look("failed", "connected", 2_000);
  expect(done).toEqual(["restart sending", "restart receiving"]);
});
