import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds the service. The shipped bundle talks to its own origin only. */
const service = process.env["TELECONSULT_URL"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
  resolve: {
    alias: {
      // 27 kB of JavaScript for keys that no archive is sealed to: see that module.
      "@noble/post-quantum/hybrid.js": fileURLToPath(
        new URL("src/replay/worker/noPostQuantum.ts", import.meta.url),
      ),
      "@noble/curves/ed25519.js": fileURLToPath(new URL("src/replay/worker/onlyX25519.ts", import.meta.url)),
      "@scure/base": fileURLToPath(new URL("src/replay/worker/keyText.ts", import.meta.url)),
      "@noble/hashes/scrypt.js": fileURLToPath(new URL("src/replay/worker/noPassphrase.ts", import.meta.url)),
    },
  },
  build: {
    target: "es2023",
    // Data URIs would need exceptions in the Content-Security-Policy; so would an inline polyfill.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    // The description of the API is a page of its own: who only consults does not load it.
    rolldownOptions: {
      input: ["index.html", "docs/index.html"],
      // Nothing here hides an effect in a getter; so what is only read may be left out.
      treeshake: { propertyReadSideEffects: false },
    },
  },
  server: {
    proxy: { "/api": service, "/ws": { target: service, ws: true } },
  },
  test: { environment: "node", include: ["src/**/*.test.{ts,tsx}"] },
});
