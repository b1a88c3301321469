import { useText } from "../../i18n/useText";
import { wallTime } from "../format";
import type { LogReport } from "../format/logCheck";
import { useReplayText } from "../words";

/** What the public log, its witnesses and this browser know of an archive. */
export function LogPart({ log }: { log: LogReport }) {
  const words = useReplayText().verify.log;
  const { problem, against } = log;
  return (
    <section className="replay-part" data-testid="verify-log" data-problem={problem ?? ""}>
      <h3>{words.title}</h3>
      {problem === null ? (
        <Agrees log={log} />
      ) : (
        <p className="problem">{words.problems[problem](words.by[against ?? "log"])}</p>
      )}
    </section>
  );
}

function Agrees({ log }: { log: LogReport }) {
  const { language } = useText();
  const words = useReplayText().verify.log;
  const number = (value: number) => value.toLocaleString(language);
  const when = (us: number) => wallTime(us, language);
  const { openedUs, closedUs, cosignatures, decided } = log;
  return (
    <>
      {log.older && <p>{words.older}</p>}
      {openedUs !== null && (
        <>
          <p>
            {words.since(when(openedUs), number(log.vouched))}{" "}
            {closedUs !== null && words.closed(when(closedUs))}
          </p>
          <p>{words.checkpoint(log.origin, number(log.size))}</p>
        </>
      )}
      <p>
        {cosignatures.length > 0
          ? words.cosigned(
              cosignatures.map(({ witness, atS }) => `${witness} (${when(atS * 1_000_000)})`).join(", "),
            )
          : words.notCosigned}
      </p>
      {decided.length > 0 && (
        <p>{words.decided(decided.map((kind) => words.kinds[kind] ?? kind).join(", "))}</p>
      )}
      <Kept kept={log.kept} />
    </>
  );
}

function Kept({ kept }: { kept: LogReport["kept"] }) {
  const words = useReplayText().verify.log;
  const { heads, checkpoints, unusable } = kept;
  return (
    <>
      <p data-testid="verify-kept" data-heads={heads} data-checkpoints={checkpoints}>
        {heads + checkpoints === 0 ? words.keptNone : words.kept(heads, checkpoints)}
      </p>
      {unusable > 0 && <p className="problem">{words.unusable(unusable)}</p>}
    </>
  );
}
