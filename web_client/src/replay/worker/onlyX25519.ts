/**
 * Stands in for `@noble/curves/ed25519.js` in the bundle (vite.config.ts), of which `age-encryption` uses X25519 alone,
 * where the browser has none of its own: the same ladder (RFC 7748), without the Edwards curve that makes it quicker.
 */
import { pow } from "@noble/curves/abstract/modular.js";
import { montgomery } from "@noble/curves/abstract/montgomery.js";

const P = 2n ** 255n - 19n;

/** RFC 7748, 5: in place. */
function clamp(scalar: Uint8Array): Uint8Array {
  const last = scalar.length - 1;
  scalar[0] = (scalar[0] ?? 0) & 248;
  scalar[last] = ((scalar[last] ?? 0) & 127) | 64;
  return scalar;
}

export const x25519 = montgomery({
  P,
  type: "x25519",
  powPminus2: (x) => pow(x, P - 2n, P),
  adjustScalarBytes: clamp,
});
