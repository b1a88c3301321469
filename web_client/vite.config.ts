import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds the service. The shipped bundle talks to its own origin only. */
const service = process.env["TELECONSULT_URL"] ?? "http://127.0.0.1:8080";

const jsx = fileURLToPath(new URL("src/jsx.ts", import.meta.url));

/** The bundle's own way to React's elements: see that module. */
const shortJsx: Plugin = {
  name: "short-jsx",
  apply: "build",
  enforce: "pre",
  resolveId: (source, importer) => (source === "react/jsx-runtime" && importer !== jsx ? jsx : null),
};

export default defineConfig({
  plugins: [react(), shortJsx],
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
  // React's ways into browsers' developer tools and into their own signs of navigation: neither is wanted on a page
  // with patients, and what leads there is not shipped.
  define: { __REACT_DEVTOOLS_GLOBAL_HOOK__: "undefined", navigation: "undefined" },
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
      output: {
        codeSplitting: {
          groups: [
            // By itself it compresses better, and stays in a browser's cache when only our own code is new.
            { name: "react", test: /node_modules\/(?:react|react-dom|scheduler)\// },
            // The description of the API looks like it, too.
            { name: "base", test: /\/style\/base\.css$/ },
            // What the replay shares with the rest: two parts would name each other's things, one does not.
            { name: "app", test: /\/src\/main\.tsx$/ },
          ],
        },
      },
    },
  },
  server: {
    proxy: { "/api": service, "/ws": { target: service, ws: true } },
  },
  test: { environment: "node", include: ["src/**/*.test.{ts,tsx}"] },
});
