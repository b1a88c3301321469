import { useText } from "../../i18n/useText";
import { wallTime } from "../../replay/format";
import type { Shredding } from "../worker/evidence";
import { useCourtroomText } from "../words";
import type { Evidence } from "./useEvidence";

/** What has to be known before anything else about a folder. */
export function Notices({ evidence }: { evidence: Evidence }) {
  const words = useCourtroomText().opening;
  const { hasManifest, hasKey, shredded } = evidence;
  return (
    <>
      {!hasManifest && <Alert kind="noManifest" text={words.noManifest} />}
      {shredded !== null && <Shredded shredded={shredded} />}
      {hasManifest && !hasKey && shredded === null && <Alert kind="noKeyFile" text={words.noKeyFile} />}
      {hasManifest && <MarkNotice evidence={evidence} />}
    </>
  );
}

function MarkNotice({ evidence }: { evidence: Evidence }) {
  const { language } = useText();
  const words = useCourtroomText().mark;
  const { mark, entries } = evidence;
  if (mark === "shorter" || mark === "differs") return <Alert kind={mark} text={words[mark]} />;
  return (
    <p className="muted" data-testid="page-mark" data-mark={mark}>
      {mark === "none" ? words.none : words.matches(entries.toLocaleString(language))}
    </p>
  );
}

function Shredded({ shredded }: { shredded: Shredding }) {
  const { language } = useText();
  const words = useCourtroomText().shredded;
  return (
    <div className="hint-box courtroom-shredded" role="alert" data-testid="shredded">
      <h2>{words.title}</h2>
      <p>{words.body(wallTime(shredded.atUs, language))}</p>
      <p>{words.reason(shredded.reason)}</p>
      <p className="muted">{shredded.signed ? words.signed : words.unsigned}</p>
    </div>
  );
}

function Alert({ kind, text }: { kind: string; text: string }) {
  return (
    <p className="hint-box" data-kind="problem" role="alert" data-testid={`notice-${kind}`}>
      {text}
    </p>
  );
}
