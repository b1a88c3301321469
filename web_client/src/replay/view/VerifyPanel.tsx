import { useText } from "../../i18n/useText";
import type { Store } from "../../room/store";
import { sizeText } from "../format";
import type { Progress } from "../format/verify";
import type { ReplayWorker } from "../worker/helper";
import { useReplayText } from "../words";
import type { Verdicts } from "./ReplayApp";
import { Found, type OwnWords } from "./VerifyReport";
import { useVerification } from "./useVerification";

interface Props {
  /** Verification has a worker of its own. */
  startWorker: () => ReplayWorker;
  consultation: string;
  verdicts: Store<Verdicts>;
  /** What is said otherwise where no service is. */
  own?: OwnWords;
}

export type { OwnWords };

/** What verification found, in plain words, and what it does not prove. No key is needed for it. */
export function VerifyPanel({ startWorker, consultation, verdicts, own = {} }: Props) {
  const { language } = useText();
  const words = useReplayText().verify;
  const { phase, progress, report, start, stop } = useVerification(startWorker, consultation, verdicts);
  const partly = report?.compared === false && report.fault === null;
  const all = () => words.start((report?.objects ?? 0).toLocaleString(language), size());
  const size = () => sizeText(report?.totalBytes ?? 0, language);
  return (
    <section className="replay-verify" aria-labelledby="replay-verify-title" data-testid="verify-panel">
      <h2 id="replay-verify-title">{words.title}</h2>
      {phase === "running" && <Running progress={progress} onStop={stop} />}
      {phase === "failed" && (
        <p className="problem" role="alert">
          {words.failed}
        </p>
      )}
      {phase === "stopped" && <p role="status">{words.stopped}</p>}
      {report !== null && <Found report={report} own={own} />}
      {phase !== "running" && (
        <button type="button" className={partly ? "primary" : ""} onClick={start} data-testid="verify-start">
          {partly ? all() : words.again}
        </button>
      )}
      <details>
        <summary>{words.notTitle}</summary>
        <ul>
          {words.not.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      </details>
    </section>
  );
}

function Running({ progress, onStop }: { progress: Progress | null; onStop: () => void }) {
  const { language } = useText();
  const words = useReplayText().verify;
  const number = (value: number) => value.toLocaleString(language);
  return (
    <div className="replay-running">
      <p role="status">
        {progress === null ? words.looking : words.working(number(progress.done), number(progress.total))}
      </p>
      <progress
        value={progress?.doneBytes ?? 0}
        max={Math.max(1, progress?.totalBytes ?? 1)}
        aria-hidden="true"
      />
      <button type="button" className="quiet" onClick={onStop}>
        {words.stop}
      </button>
    </div>
  );
}
