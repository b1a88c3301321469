import { decode, encode, type Json, type JsonObject } from "../../replay/format/canonical";
import { sha256, splitLines, type Bytes } from "../../replay/format/bytes";
import { Signatures } from "../../replay/format/signatures";
import type { Report } from "../../replay/format/verify";
import type { Mark } from "../baked";

/** Where the archive stood when the page was signed, against what lies here. `none`: the page was not made for it. */
export type MarkFound = "none" | "matches" | "shorter" | "differs";

/** A decision that destroyed the key. */
export interface Shredding {
  /** Unix µs. */
  atUs: number;
  reason: string;
  /** The line bears the signature of a trusted signer. */
  signed: boolean;
}

const DECISION_DOMAIN = new TextEncoder().encode("teleconsult-archive-decision/1\n");

/** The page's mark for the consultation that the manifest says it is of; its folder may have been renamed. */
export function findMark(manifest: Bytes | null, name: string, marks: readonly Mark[]): Mark | null {
  const first = manifest === null ? undefined : splitLines(manifest).lines[0];
  const said = first === undefined ? undefined : read(first)?.["consultation"];
  const wanted = typeof said === "string" ? said : name;
  return marks.find(({ consultation }) => consultation === wanted) ?? null;
}

export async function compareMark(manifest: Bytes | null, mark: Mark | null): Promise<MarkFound> {
  if (mark === null) return "none";
  const lines = manifest === null ? [] : splitLines(manifest).lines;
  const line = lines[mark.entries - 1];
  if (line !== undefined) return (await sha256(line)) === mark.head ? "matches" : "differs";
  const last = lines.at(-1);
  // What was closed with fewer entries was never the archive that had more.
  return last !== undefined && read(last)?.["kind"] === "close" ? "differs" : "shorter";
}

/** What the page vouches for counts as what the manifest says itself: another archive is an altered one. */
export function withMark(report: Report, found: MarkFound, mark: Mark | null): Report {
  const sound = report.verdict === "intact" || report.verdict === "unverifiable";
  if (!sound || mark === null || found === "none" || found === "matches") return report;
  const fault =
    found === "shorter"
      ? {
          entry: report.entries,
          reason: `this page was made when there were ${mark.entries} entries`,
          path: null,
        }
      : {
          entry: Math.min(mark.entries, report.entries) - 1,
          reason: "it is not the entry that this page was made for",
          path: null,
        };
  return { ...report, verdict: found === "shorter" ? "truncated" : "altered", open: false, fault };
}

/** The last decision to shred in `decisions.jsonl`, if there is one; lines that cannot be read are passed over. */
export async function findShredding(
  decisions: Bytes | null,
  signers: readonly string[],
): Promise<Shredding | null> {
  if (decisions === null) return null;
  const signatures = new Signatures();
  for (const line of splitLines(decisions).lines.reverse()) {
    const fields = read(line);
    if (fields?.["kind"] === "shred") return shreddingOf(fields, signatures, signers);
  }
  return null;
}

async function shreddingOf(
  fields: JsonObject,
  signatures: Signatures,
  signers: readonly string[],
): Promise<Shredding> {
  const { signature, ...signed } = fields;
  const { signer, at_us: atUs, reason } = signed;
  const known = typeof signer === "string" && typeof signature === "string" && signers.includes(signer);
  const holds = known && (await signatures.hold(signer, signature, messageOf(signed)));
  return {
    atUs: typeof atUs === "number" ? atUs : 0,
    reason: typeof reason === "string" ? reason : "",
    signed: holds,
  };
}

function messageOf(fields: JsonObject): Bytes {
  const body = encode(fields);
  const message = new Uint8Array(DECISION_DOMAIN.length + body.length);
  message.set(DECISION_DOMAIN);
  message.set(body, DECISION_DOMAIN.length);
  return message;
}

function read(line: Bytes): JsonObject | null {
  let value: Json;
  try {
    value = decode(line.subarray(0, -1));
  } catch {
    return null;
  }
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
}
