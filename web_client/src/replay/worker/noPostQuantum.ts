/**
 * Stands in for `@noble/post-quantum` in the bundle (vite.config.ts): archives are sealed to X25519 recipients only
 * (docs/archive-format.md), and the real thing would be a third of this worker. A post-quantum key is refused before
 * it comes here; should one come here all the same, it is refused here.
 */

const refuse = () => {
  throw new Error("post-quantum keys are not supported");
};

const kem = { getPublicKey: refuse, encapsulate: refuse, decapsulate: refuse };

export const MLKEM768P256 = kem;
export const MLKEM768X25519 = kem;
