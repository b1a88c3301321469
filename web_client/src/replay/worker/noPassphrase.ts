/**
 * Stands in for scrypt in the bundle (vite.config.ts): archives are sealed to X25519 recipients, never to a passphrase
 * (docs/archive-format.md). A file that is sealed to one is refused here.
 */

const refuse = () => {
  throw new Error("passphrases are not supported");
};

export const scrypt = refuse;
export const scryptAsync = refuse;
