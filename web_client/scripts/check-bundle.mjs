// Run after the build: the bundle stays small, and needs no exception in the Content-Security-Policy.
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const LIMIT_BYTES = 250_000;
const dist = new URL("../dist/", import.meta.url);
const assets = readdirSync(new URL("assets/", dist));
const problems = [];

const scripts = assets.filter((name) => name.endsWith(".js"));
const total = scripts
  .map((name) => gzipSync(readFileSync(new URL(`assets/${name}`, dist)), { level: 9 }).length)
  .reduce((sum, size) => sum + size, 0);
if (total > LIMIT_BYTES) problems.push(`JavaScript is ${total} bytes gzipped; the limit is ${LIMIT_BYTES}`);

for (const name of scripts) {
  const text = readFileSync(new URL(`assets/${name}`, dist), "utf8");
  // A method of that name (elliptic curves have one) is another thing.
  if (/(?<![.\w$])eval\([^)]*\)(?!\s*\{)|new Function\(/.test(text))
    problems.push(`${name} evaluates text as code`);
}

for (const name of ["index.html", "docs/index.html"]) {
  const page = readFileSync(new URL(name, dist), "utf8");
  if (/<script(?![^>]*\bsrc=)/.test(page)) problems.push(`${name} has an inline script`);
  if (/<style|\sstyle=/.test(page)) problems.push(`${name} has inline styles`);
  if (/\b(?:src|href)="(?:https?:)?\/\//.test(page)) problems.push(`${name} names another host`);
}
for (const name of assets.filter((one) => one.endsWith(".css"))) {
  const text = readFileSync(new URL(`assets/${name}`, dist), "utf8");
  if (/url\(|@import/.test(text)) problems.push(`${name} loads something`);
}

if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exitCode = 1;
} else {
  console.log(`JavaScript: ${(total / 1000).toFixed(1)} kB gzipped (limit ${LIMIT_BYTES / 1000})`);
}
