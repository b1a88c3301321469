import { expect, test } from "vitest";
import { MediaHealer } from "./healer";
import { SILENT_MS } from "./pathWatch";
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

test("silence of a connection that counts as connected is acted on once, until something arrives again", () => {
  const recovery = new IceRecovery();
  expect(recovery.update("connected", 0, SILENT_MS - 1)).toBeNull();
  expect(recovery.update("connected", 100, SILENT_MS)).toBe("restart");
  for (let ms = 200; ms < 10_000; ms += 100)
    expect(recovery.update("connected", ms, SILENT_MS + ms)).toBeNull();
  expect(recovery.update("connected", 10_000, 0)).toBeNull();
  expect(recovery.update("connected", 11_000, SILENT_MS)).toBe("restart");
});

test("a restart for silence counts when ICE notices, too", () => {
  const recovery = new IceRecovery();
  expect(recovery.update("connected", 0, SILENT_MS)).toBe("restart");
  expect(recovery.update("disconnected", 2_000, 2_700)).toBeNull();
  expect(recovery.update("disconnected", 4_000, 4_700)).toBe("restart");
  expect(recovery.update("disconnected", 8_000, 8_700)).toBe("rebuild");
});

test("a restart for another reason is not repeated for the silence that led to it", () => {
  const recovery = new IceRecovery();
  recovery.restarted(0);
  expect(recovery.update("connected", 100, SILENT_MS - 400)).toBeNull();
  expect(recovery.update("connected", 500, SILENT_MS)).toBeNull();
  expect(recovery.update("disconnected", 4_000, 4_000)).toBe("restart");
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
  const heard = (state: RTCPeerConnectionState | null) => ({ state, silentMs: 0 });
  healer.look(heard(null), heard(null), 0);
  healer.look(heard("connected"), heard("disconnected"), 1_000);
  healer.look(heard("failed"), heard("connected"), 2_000);
  expect(done).toEqual(["restart sending", "restart receiving"]);
});
