// Writes src/protocol/messages.ts from the pydantic models in core/messages.py; with --check only compares.
// Needs no network: the schema comes from Python, the text from json-schema-to-typescript.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { compile } from "json-schema-to-typescript";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const target = fileURLToPath(new URL("../src/protocol/messages.ts", import.meta.url));

// tests/architecture/test_generated_types.py computes the same two hashes without Node.
const DUMP = `import json, sys
from core.messages import messages_json_schema
sys.stdout.write(json.dumps(messages_json_schema(), sort_keys=True, separators=(",", ":")))`;

function python() {
  if (process.env.PYTHON) return process.env.PYTHON;
  const local = `${repository}.venv/bin/python`;
  return existsSync(local) ? local : "python3";
}

function readSchema() {
  return execFileSync(python(), ["-c", DUMP], { cwd: repository, encoding: "utf8", maxBuffer: 1 << 24 });
}

const sha256 = (text) => createHash("sha256").update(text).digest("hex");

/** Titled properties would each become a type alias; only the models themselves shall have names. */
function dropPropertyTitles(node) {
  if (Array.isArray(node)) return node.map(dropPropertyTitles);
  if (node === null || typeof node !== "object") return node;
  return Object.fromEntries(
    Object.entries(node)
      .filter(([key, value]) => !(key === "title" && typeof value === "string"))
      // Length limits of arrays would become tuples; the server enforces them anyway.
      .filter(([key]) => key !== "maxItems" && key !== "minItems")
      .map(([key, value]) => [key, dropPropertyTitles(value)]),
  );
}

const referenced = (union) => union.oneOf.map((item) => item.$ref.split("/").pop());

/** Names of all models reachable from `names`. */
function closure(names, definitions) {
  const seen = new Set();
  const visit = (name) => {
    if (seen.has(name)) return;
    seen.add(name);
    const text = JSON.stringify(definitions[name]);
    for (const match of text.matchAll(/"#\/\$defs\/(\w+)"/g)) visit(match[1]);
  };
  names.forEach(visit);
  return seen;
}

/**
 * The tag is always sent. What the server sends is always complete, so nothing in it is optional; in what the
 * client sends a field with a default may be left out.
 */
function requireFields(definitions, serverModels) {
  for (const [name, model] of Object.entries(definitions)) {
    const properties = Object.keys(model.properties ?? {});
    const always = serverModels.has(name) ? properties : properties.filter((key) => key === "type");
    model.required = [...new Set([...(model.required ?? []), ...always])];
  }
}

async function generate() {
  const dumped = readSchema();
  const { $defs } = dropPropertyTitles(JSON.parse(dumped));
  const { client, server } = $defs._All.properties;
  delete $defs._All;
  requireFields($defs, closure(referenced(server), $defs));
  const schema = {
    $defs: {
      ...$defs,
      ClientMessage: { oneOf: client.oneOf },
      ServerMessage: { oneOf: server.oneOf },
    },
  };
  const body = await compile(schema, "Messages", {
    bannerComment: "",
    unreachableDefinitions: true,
    additionalProperties: false,
    style: { printWidth: 110 },
  });
  const cleaned = body
    .replace(/export interface Messages \{[^}]*\}\n/, "")
    .replace(
      /\/\*\*\n \* This interface was referenced by `Messages`'s JSON-Schema\n \* via the `definition` "\w+"\.\n \*\/\n/g,
      "",
    )
    .replace(
      /\n \*\n \* This interface was referenced by `Messages`'s JSON-Schema\n \* via the `definition` "\w+"\./g,
      "",
    );
  const content = cleaned.trim() + "\n";
  const header = [
    "// Generated from core/messages.py by `npm run types`; do not edit.",
    `// schema sha256: ${sha256(dumped)}`,
    `// content sha256: ${sha256(content)}`,
    "",
    "",
  ].join("\n");
  return header + content;
}

const wanted = await generate();
if (!process.argv.includes("--check")) {
  writeFileSync(target, wanted);
} else if (!existsSync(target) || readFileSync(target, "utf8") !== wanted) {
  console.error("src/protocol/messages.ts differs from core/messages.py. Run: npm run types");
  process.exitCode = 1;
}
