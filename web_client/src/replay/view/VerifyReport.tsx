import { useText } from "../../i18n/useText";
import { sizeText, wallTime } from "../format";
import type { Report } from "../format/verify";
import { useReplayText } from "../words";
import { DecidedPart } from "./DecidedPart";
import { LogPart } from "./LogPart";

export type OwnWords = Partial<Record<"unverifiable" | "signerAdvice", string>>;

/** A report of verification. */
export function Found({ report, own }: { report: Report; own: OwnWords }) {
  const { language } = useText();
  const words = useReplayText().verify;
  const { verdict, fault, signer, compared, decided, log } = report;
  return (
    <div
      className="replay-report"
      data-testid="verify-report"
      data-verdict={verdict}
      data-compared={compared}
      data-log={log === null ? "none" : (log.problem ?? "agrees")}
    >
      <p>
        <strong className="replay-verdict" data-verdict={compared ? verdict : "none"}>
          {words.verdicts[verdict]}
        </strong>
        {!compared && <span className="muted"> · {words.byManifest}</span>}
      </p>
      {fault === null || fault.reason === "its signer is not trusted" ? (
        <Whole report={report} />
      ) : (
        <Broken fault={fault} />
      )}
      {verdict === "unverifiable" && <p>{own.unverifiable ?? words.unverifiable}</p>}
      {report.open && <p>{words.open}</p>}
      <p className="muted">{words.gaps(report.gaps)}</p>
      {report.open && report.holes.length > 0 && (
        <p className="problem">{words.holes(report.holes.length)}</p>
      )}
      {decided !== null && <DecidedPart decided={decided} />}
      {log !== null && <LogPart log={log} />}
      {signer !== null && (
        <p>
          {words.signer} <code className="replay-signer">{signer}</code>
        </p>
      )}
      <p className="muted">{own.signerAdvice ?? words.signerAdvice}</p>
      <p className="muted">{words.checked(wallTime(report.atMs * 1000, language))}</p>
    </div>
  );
}

function Whole({ report }: { report: Report }) {
  const { language } = useText();
  const words = useReplayText().verify;
  const number = (value: number) => value.toLocaleString(language);
  const { compared, objects, entries, decided } = report;
  const destroyed = decided?.shredded?.objectsRemoved === true;
  return (
    <>
      <p>{words.chain(number(entries))}</p>
      {compared && !destroyed && <p>{words.intact(number(objects), sizeText(report.bytes, language))}</p>}
      {!compared && <p>{words.notCompared(number(objects), sizeText(report.totalBytes, language))}</p>}
    </>
  );
}

function Broken({ fault }: { fault: NonNullable<Report["fault"]> }) {
  const words = useReplayText().verify;
  return (
    <>
      <p>{words.broken(fault.entry, words.reason(fault.reason))}</p>
      {fault.path !== null && (
        <p className="muted">
          {words.part("")} <code>{fault.path}</code>
        </p>
      )}
    </>
  );
}
