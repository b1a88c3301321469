import { ArchiveFault, MAX_LINE_BYTES } from "./auditor";
import { sha256, splitLines, type Bytes } from "./bytes";
import { decode, encode, FormatError, type Json, type JsonObject } from "./canonical";
import type { Custodian, OpenEntry } from "./entries";
import {
  consultation,
  count,
  custodians,
  digest,
  firstWrong,
  isObject,
  label,
  listOf,
  oneOf,
  orNull,
  signature,
  signer,
  subject,
  text,
  type Checks,
} from "./fields";
import type { Signatures } from "./signatures";

/** What people decided about an archive later (docs/archive-format.md, "Decisions"). */

export interface Approval {
  by: string;
  at_us: number;
  key: string | null;
  signature: string | null;
}

interface Common {
  consultation: string;
  decision: number;
  previous: string;
  at_us: number;
  request: string;
  reason: string;
  approvals: Approval[];
  signer: string;
  signature: string;
}

export type Decision = Common &
  (
    | { kind: "hold" | "release"; hold: string }
    | { kind: "shred"; objects: "kept" | "removed"; policy: string | null }
    | { kind: "rewrap"; recipients: Custodian[]; replaces_sha256: string; session_key_sha256: string }
    | { kind: "export"; form: "tracks" | "wall" | "stills" }
  );

export type Shredding = Extract<Decision, { kind: "shred" }>;

const PEOPLE_NEEDED: Record<Decision["kind"], number> = {
  hold: 1,
  release: 2,
  shred: 2,
  rewrap: 2,
  export: 2,
};

const APPROVAL: Checks = { by: subject, at_us: count, key: orNull(signer), signature: orNull(signature) };
const COMMON: Checks = {
  kind: label(1, 20),
  consultation,
  decision: count,
  previous: digest,
  at_us: count,
  request: text(/^[0-9a-f]{32}$/),
  reason: label(1, 500),
  approvals: listOf(1, 8, APPROVAL),
  signer,
  signature,
};
const HOLD: Checks = { ...COMMON, hold: text(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/) };
const KINDS: Record<Decision["kind"], Checks> = {
  hold: HOLD,
  release: HOLD,
  shred: {
    ...COMMON,
    objects: oneOf("kept", "removed"),
    policy: orNull(text(/^[a-z0-9][a-z0-9_-]{0,39}$/)),
  },
  rewrap: { ...COMMON, recipients: custodians, replaces_sha256: digest, session_key_sha256: digest },
  export: { ...COMMON, form: oneOf("tracks", "wall", "stills") },
};
/** What an approval is not about: the rest are its terms. */
const NOT_TERMS = new Set(["decision", "previous", "at_us", "approvals", "signer", "signature"]);
const LINE_DOMAIN = "teleconsult-archive-decision/1\n";
const APPROVAL_DOMAIN = "teleconsult-archive-approval/1\n";

/** What stands after all decisions. */
export class Ledger {
  readonly decisions: Decision[] = [];
  readonly holds = new Set<string>();
  /** SHA-256 of `session.key.age`, the original first; all hold the same secret. */
  readonly wrappings: string[];
  recipients: Custodian[];
  shredded: Shredding | null = null;
  /** Who approved something with a key that nobody vouches for. */
  unknownPerson: string | null = null;
  private previous: string;

  constructor(
    private readonly opened: OpenEntry,
    /** SHA-256 of the manifest's line 0, its newline included. */
    private readonly anchor: string,
    private readonly signers: ReadonlySet<string>,
    private readonly people: ReadonlySet<string>,
    private readonly signatures: Signatures,
  ) {
    this.previous = anchor;
    this.wrappings = [opened.session_key_sha256];
    this.recipients = opened.recipients;
  }

  /** All whole lines of `decisions.jsonl`; the part of one that a crash left is no decision. Throws `ArchiveFault`. */
  async read(bytes: Bytes): Promise<this> {
    for (const line of splitLines(bytes).lines) await this.feed(line);
    return this;
  }

  private async feed(line: Bytes): Promise<void> {
    const fields = this.fieldsOf(line);
    const decision = fields as unknown as Decision;
    this.checkPosition(decision);
    await this.checkSigned(decision, fields);
    this.expect(people(decision.approvals) >= PEOPLE_NEEDED[decision.kind], "too few people approved it");
    this.apply(decision);
    this.decisions.push(decision);
    this.previous = await sha256(line);
  }

  private fieldsOf(line: Bytes): JsonObject {
    this.expect(line.length <= MAX_LINE_BYTES, "its line is too long");
    let fields: Json;
    try {
      fields = decode(line.subarray(0, -1));
    } catch (error) {
      if (error instanceof FormatError) throw this.altered("its line cannot be read");
      throw error;
    }
    const kind = isObject(fields) ? fields["kind"] : undefined;
    if (!isObject(fields) || typeof kind !== "string" || !Object.hasOwn(KINDS, kind)) {
      throw this.altered("its line cannot be read");
    }
    const wrong = firstWrong(fields, KINDS[kind as Decision["kind"]]);
    this.expect(wrong === null, "its line cannot be read");
    return fields;
  }

  private checkPosition(decision: Decision): void {
    const { decisions, previous, opened } = this;
    this.expect(decision.decision === decisions.length, "another decision stands in its place");
    this.expect(decision.previous === previous, "it does not follow the line before it");
    this.expect(decision.consultation === opened.consultation, "it belongs to another consultation");
  }

  /** By the archive's signer for people who were signed in; else by one of the people, each with a signature. */
  private async checkSigned(decision: Decision, fields: JsonObject): Promise<void> {
    const { signature: by, ...signed } = fields;
    const message = messageOf(LINE_DOMAIN, signed);
    const holds = typeof by === "string" && (await this.signatures.hold(decision.signer, by, message));
    this.expect(holds, "its signature is wrong");
    const terms = Object.fromEntries(Object.entries(fields).filter(([name]) => !NOT_TERMS.has(name)));
    for (const approval of decision.approvals) {
      const own = approval.key === null || (await this.approved(approval, approval.key, terms));
      this.expect(own, `the approval of ${approval.by} is not theirs`);
    }
    if (this.signers.has(decision.signer)) return;
    const keys = decision.approvals.map(({ key }) => key);
    const allowed = keys.includes(decision.signer) && !keys.includes(null);
    this.expect(allowed, "it is signed by nobody who may");
    this.unknownPerson ??= keys.find((key) => key !== null && !this.people.has(key)) ?? null;
  }

  private approved(approval: Approval, key: string, terms: JsonObject): Promise<boolean> {
    const { by, at_us: approvedUs } = approval;
    const said = { ...terms, anchor: this.anchor, by, approved_us: approvedUs };
    const message = messageOf(APPROVAL_DOMAIN, said);
    return this.signatures.hold(key, approval.signature ?? "", message);
  }

  private apply(decision: Decision): void {
    this.expect(this.shredded === null, "the archive was shredded before");
    if (decision.kind === "hold") {
      this.expect(!this.holds.has(decision.hold), "that hold stood already");
      this.holds.add(decision.hold);
    } else if (decision.kind === "release") {
      this.expect(this.holds.delete(decision.hold), "that hold did not stand");
    } else if (decision.kind === "shred") {
      this.expect(this.holds.size === 0, "a hold stood");
      this.shredded = decision;
    } else if (decision.kind === "rewrap") {
      this.expect(decision.replaces_sha256 === this.wrappings.at(-1), "it replaces another key");
      this.wrappings.push(decision.session_key_sha256);
      this.recipients = decision.recipients;
    }
  }

  private expect(holds: boolean, reason: string): void {
    if (!holds) throw this.altered(reason);
  }

  private altered(reason: string): ArchiveFault {
    return new ArchiveFault("altered", 0, `decision ${this.decisions.length}: ${reason}`, "decisions.jsonl");
  }
}

/** How many different ones: neither a name nor a key counts twice. */
function people(approvals: readonly Approval[]): number {
  const names = new Set(approvals.map(({ by }) => by));
  const keys = new Set(approvals.map(({ by, key }) => key ?? by));
  return Math.min(names.size, keys.size);
}

function messageOf(domain: string, fields: JsonObject): Bytes {
  const [head, body] = [new TextEncoder().encode(domain), encode(fields)];
  const message = new Uint8Array(head.length + body.length);
  message.set(head);
  message.set(body, head.length);
  return message;
}
