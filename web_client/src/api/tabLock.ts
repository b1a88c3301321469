/** How long a tab that is being reloaded may take to let go, ms. */
const PATIENCE_MS = 2_000;

const heldHere = new Set<string>();

/** Not there on unencrypted pages. */
function browserLocks(): LockManager | null {
  return "locks" in navigator ? navigator.locks : null;
}

/**
 * Claims `name` for this tab until the page goes. False when another tab has it and keeps it: then this one is a
 * copy ("Duplicate tab" copies the parked token with it), and using the token in both would look like theft.
 * Without locks every claim is granted.
 */
export function claimForTab(
  name: string,
  locks: Pick<LockManager, "request"> | null = browserLocks(),
  patienceMs = PATIENCE_MS,
  held = heldHere,
): Promise<boolean> {
  if (locks === null || held.has(name)) return Promise.resolve(true);
  return new Promise((resolve) => {
    const untilPageGoes = () => {
      held.add(name);
      resolve(true);
      return new Promise<never>(() => undefined);
    };
    const options = { signal: AbortSignal.timeout(patienceMs) };
    locks.request(`teleconsult.session.${name}`, options, untilPageGoes).catch(() => {
      resolve(false);
    });
  });
}
