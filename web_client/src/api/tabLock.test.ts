import { expect, test } from "vitest";
import { claimForTab } from "./tabLock";

/** Web Locks of one browser: a lock is given when nobody has it, or its holder goes. */
class Locks {
  private readonly holders = new Map<string, Promise<void>>();
  private readonly goings = new Map<string, () => void>();

  readonly request = (async (name: string, options: LockOptions, use: (lock: Lock) => Promise<unknown>) => {
    const signal = options.signal ?? expect.fail("waits for ever");
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => {
        reject(new DOMException("", "AbortError"));
      });
    });
    await Promise.race([this.holders.get(name), aborted]);
    this.holders.set(
      name,
      new Promise((resolve) => {
        this.goings.set(name, resolve);
      }),
    );
    return use({ name, mode: "exclusive" });
  }) as LockManager["request"];

  /** The page that holds it is left. */
  letGo(name: string): void {
    this.goings.get(`teleconsult.session.${name}`)?.();
  }
}

test("the first tab has the session, a copy does not", async () => {
  const locks = new Locks();
  expect(await claimForTab("one", locks, 20, new Set())).toBe(true);
  expect(await claimForTab("one", locks, 20, new Set())).toBe(false);
  expect(await claimForTab("two", locks, 20, new Set())).toBe(true);
});

test("a reloaded tab waits for the page it replaces", async () => {
  const locks = new Locks();
  await claimForTab("one", locks, 20, new Set());
  const reloaded = claimForTab("one", locks, 5_000, new Set());
  locks.letGo("one");
  expect(await reloaded).toBe(true);
});

test("what this page has already, it has", async () => {
  const [locks, held] = [new Locks(), new Set<string>()];
  await claimForTab("one", locks, 20, held);
  expect(await claimForTab("one", locks, 20, held)).toBe(true);
});

test("without locks every tab is on its own", async () => {
  expect(await claimForTab("one", null, 20, new Set())).toBe(true);
});
