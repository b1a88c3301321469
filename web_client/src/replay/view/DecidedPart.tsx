import { useText } from "../../i18n/useText";
import { shortKey, wallTime } from "../format";
import type { Decided, Person } from "../format/verify";
import { useReplayText } from "../words";

/** What people decided about an archive later: who, when, and what it means. */
export function DecidedPart({ decided }: { decided: Decided }) {
  const { language } = useText();
  const words = useReplayText().verify.decided;
  const { shredded, rewrapped, holds, keyAsDecided } = decided;
  const who = (by: readonly Person[]) => by.map(nameOf).join(words.and);
  const when = (us: number) => wallTime(us, language);
  return (
    <section className="replay-part" data-shredded={shredded !== null}>
      <h3>{words.title}</h3>
      {shredded !== null && (
        <>
          <p>
            <strong>{words.shredded(when(shredded.atUs), who(shredded.by))}</strong>{" "}
            {shredded.policy !== null && words.policy(shredded.policy)}
          </p>
          <p>{shredded.objectsRemoved ? words.removed : words.kept}</p>
          <p className="muted">{words.reason(shredded.reason)}</p>
          {!keyAsDecided && <p className="problem">{words.keyStillThere}</p>}
        </>
      )}
      {shredded === null && rewrapped !== null && (
        <p>
          {words.rewrapped(
            when(rewrapped.atUs),
            who(rewrapped.by),
            rewrapped.custodians.map((one) => one.custodian).join(words.and),
          )}
        </p>
      )}
      {shredded === null && !keyAsDecided && <p className="problem">{words.notLast}</p>}
      {holds.length > 0 && <p>{words.holds(holds.join(words.and))}</p>}
    </section>
  );
}

/** Their name in the directory, if they are known there. */
const nameOf = ({ subject, name }: Person) => name ?? shortKey(subject);
