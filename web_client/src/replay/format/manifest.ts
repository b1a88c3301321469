import { ArchiveFault, ManifestAuditor, readLine, type ReadLine } from "./auditor";
import { sameBytes, sha256, splitLines, type Bytes } from "./bytes";
import { FormatError } from "./canonical";
import type { CloseEntry, Entry } from "./entries";
import { Signatures } from "./signatures";

export interface ReadManifest {
  entries: Entry[];
  audit: ManifestAuditor;
  /** What is wrong with the chain; the entries before it are good. */
  fault: ArchiveFault | null;
}

const BATCH = 64;

/** Chain and signatures of a whole manifest. Never throws for what it holds. */
export async function readManifest(
  manifest: Bytes | null,
  closing: Bytes | null,
  trusted: Iterable<string>,
): Promise<ReadManifest> {
  const audit = new ManifestAuditor(trusted);
  const entries: Entry[] = [];
  try {
    if (manifest === null) throw new ArchiveFault("missing", 0, "the manifest is missing");
    const { lines, rest } = splitLines(manifest);
    const signatures = new Signatures();
    for (let begin = 0; begin < lines.length; begin += BATCH) {
      await feedLines(audit, signatures, lines.slice(begin, begin + BATCH), entries);
    }
    await finish(audit, signatures, rest, lines.at(-1) ?? null, closing);
    return { entries, audit, fault: null };
  } catch (error) {
    if (!(error instanceof ArchiveFault)) throw error;
    return { entries, audit, fault: error };
  }
}

async function feedLines(
  audit: ManifestAuditor,
  signatures: Signatures,
  lines: Bytes[],
  entries: Entry[],
): Promise<void> {
  const checked = await Promise.all(lines.map((line) => checkLine(line, signatures)));
  for (const line of checked) {
    if (line instanceof FormatError) throw audit.altered(`its line cannot be read: ${line.message}`);
    audit.feed(line.entry, line.hash, line.signed);
    entries.push(line.entry);
  }
}

async function checkLine(line: Bytes, signatures: Signatures) {
  let read: ReadLine;
  try {
    read = readLine(line);
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
  const { entry, message } = read;
  const [hash, signed] = await Promise.all([
    sha256(line),
    signatures.hold(entry.signer, entry.signature, message),
  ]);
  return { entry, hash, signed };
}

/** What stands behind the last whole line, and the closing marker. */
async function finish(
  audit: ManifestAuditor,
  signatures: Signatures,
  rest: Bytes,
  lastLine: Bytes | null,
  closing: Bytes | null,
): Promise<void> {
  if (closing !== null) return finishClosed(audit, signatures, rest, lastLine, closing);
  if (rest.length > 0 && audit.closed !== null) throw audit.altered("bytes follow the closing entry");
  if (audit.opened === null) {
    throw new ArchiveFault("truncated", 0, "the manifest does not hold a whole entry");
  }
  if (holdsWholeEntry(rest)) throw audit.altered("bytes stand where its line should end");
}

async function finishClosed(
  audit: ManifestAuditor,
  signatures: Signatures,
  rest: Bytes,
  lastLine: Bytes | null,
  closing: Bytes,
): Promise<void> {
  if (audit.closed !== null) {
    if (lastLine === null || !sameBytes(closing, lastLine)) {
      throw new ArchiveFault("altered", audit.closed.entry, "closed.json is not this entry");
    }
    if (rest.length > 0) throw audit.altered("bytes follow the closing entry");
    return;
  }
  const marker = await readMarker(audit, signatures, closing);
  const damaged = rest.length > 0 && !sameBytes(closing.subarray(0, rest.length), rest);
  if (damaged && marker.entry === audit.nextEntry) throw audit.altered("its line is damaged");
  const reason = `the manifest ends here; it was closed with entry ${marker.entry}`;
  throw new ArchiveFault("truncated", audit.nextEntry, reason);
}

async function readMarker(
  audit: ManifestAuditor,
  signatures: Signatures,
  closing: Bytes,
): Promise<CloseEntry> {
  const bad = audit.altered("closed.json is not a closing entry of it");
  const line = await checkLine(closing, signatures);
  if (line instanceof FormatError || line.entry.kind !== "close" || !line.signed) throw bad;
  const { entry } = line;
  const { opened } = audit;
  const belongs =
    opened === null || (entry.consultation === opened.consultation && entry.signer === opened.signer);
  if (!belongs || entry.entry < audit.nextEntry) throw bad;
  return entry;
}

/** A whole JSON object and then something: its newline was changed, not torn off. */
function holdsWholeEntry(rest: Bytes): boolean {
  const text = new TextDecoder().decode(rest);
  for (let end = text.indexOf("}"); end >= 0; end = text.indexOf("}", end + 1)) {
    try {
      JSON.parse(text.slice(0, end + 1));
      return end + 1 < text.length;
    } catch {
      continue;
    }
  }
  return false;
}
