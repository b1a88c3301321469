// Builds the parts of the page that replays without a service (`teleconsult archive replay-page`): one script, one
// style sheet, one worker, into dist-courtroom/. They are no part of what the service serves.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { build, loadConfigFromFile } from "vite";

const root = fileURLToPath(new URL("..", import.meta.url));
const { resolve } = (await loadConfigFromFile({ command: "build", mode: "production" }, undefined, root))
  .config;
// Here a key file may be protected by a passphrase (`age -p`); the service's replay has its own way to keep keys.
const alias = { ...resolve.alias };
delete alias["@noble/hashes/scrypt.js"];
const target = new URL("../dist-courtroom/", import.meta.url);

/** The names of XML name spaces look like addresses, and are none. */
const NAMES = /http:\/\/www\.w3\.org\/(?:1998\/Math\/MathML|1999\/xlink|2000\/svg|XML\/1998\/namespace)/g;

async function bundle(entry, plugins) {
  const made = await build({
    root,
    configFile: false,
    logLevel: "warn",
    plugins,
    resolve: { alias },
    define: { "process.env.NODE_ENV": '"production"' },
    build: {
      target: "es2023",
      write: false,
      sourcemap: false,
      assetsInlineLimit: 0,
      cssCodeSplit: false,
      lib: { entry, formats: ["iife"], name: "teleconsultCourtroom", fileName: "part", cssFileName: "part" },
      rolldownOptions: { output: { codeSplitting: false } },
    },
  });
  const { output } = Array.isArray(made) ? made[0] : made;
  const [script, ...more] = output.filter((one) => one.type === "chunk");
  if (more.length > 0) throw new Error(`${entry}: more than one script`);
  const styles = output.filter((one) => one.type === "asset" && one.fileName.endsWith(".css"));
  return { script: inlinable(script.code), style: styles.map((one) => String(one.source)).join("") };
}

/** Neither ends the element it will stand in, nor says where help is on the network. */
function inlinable(code) {
  return code
    .replace(/<\/(script)/gi, "<\\/$1")
    .replaceAll("<!--", "<\\!--")
    .replaceAll("https://react.dev/", "react.dev/");
}

function check(name, text) {
  const problems = [];
  if (/<\/script|<!--/i.test(text)) problems.push("ends its element");
  const urls = text.replace(NAMES, "").match(/(?:https?|wss?):\/\/[\w[][^\s"'`)]*/g);
  if (urls !== null) problems.push(`names ${urls.join(", ")}`);
  // A method of that name is another thing.
  const calls = /(?<![.\w$])(?:fetch|importScripts|import)\([^)]*\)(?!\s*\{)/;
  if (calls.test(text) || /XMLHttpRequest|WebSocket|sendBeacon|EventSource/.test(text)) {
    problems.push("can use the network");
  }
  if (/url\(|@import/.test(text) && name.endsWith(".css")) problems.push("loads something");
  if (problems.length > 0) throw new Error(`${name}: ${problems.join("; ")}`);
}

const page = await bundle("src/courtroom/main.tsx", [react()]);
const worker = await bundle("src/courtroom/worker/worker.ts", []);
const parts = { "page.js": page.script, "page.css": page.style, "worker.js": worker.script };
for (const [name, text] of Object.entries(parts)) check(name, text);
rmSync(target, { recursive: true, force: true });
mkdirSync(target);
for (const [name, text] of Object.entries(parts)) writeFileSync(new URL(name, target), text);
console.log(
  `Replay page: ${Object.entries(parts)
    .map(([name, text]) => `${name} ${(text.length / 1000).toFixed(0)} kB`)
    .join(", ")}`,
);
