import { useText } from "../../../i18n/useText";
import type { Opinion } from "../../../protocol/messages";
import { useWallClock } from "../../hooks";
import { clockTime } from "../../when";
import { LockIcon } from "../panelIcons";

const RENEW_TIMES_MS = 60_000;

/** What was filed, oldest first: whose it is, when, and that nobody changes it any more. */
export function OpinionList({ opinions }: { opinions: readonly Opinion[] }) {
  const { text, language } = useText();
  const words = text.panels.opinion;
  const now = useWallClock(RENEW_TIMES_MS);
  if (opinions.length === 0) return null;
  return (
    <ol className="opinions" aria-label={words.filed}>
      {opinions.map((opinion) => (
        <li key={opinion.opinion_id} className="opinion" data-testid="opinion">
          <p className="opinion-from">
            <bdi className="chat-name">
              {[opinion.name, opinion.organisation].filter((part) => part !== "").join(" · ")}
            </bdi>{" "}
            <time className="muted tabular" dateTime={new Date(opinion.at_us / 1000).toISOString()}>
              {clockTime(opinion.at_us, language, now)}
            </time>
          </p>
          <p className="opinion-text" dir="auto">
            {opinion.text}
          </p>
          <p className="opinion-locked muted">
            <LockIcon />
            {words.locked}
          </p>
        </li>
      ))}
    </ol>
  );
}
