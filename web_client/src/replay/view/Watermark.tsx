import type { Me } from "../../api/session";
import { useText } from "../../i18n/useText";
import { useWallClock } from "../../ui/hooks";
import { wallTime } from "../format";

/** Who looks. */
export type Viewer = Pick<Me, "display_name" | "username">;

const RENEW_MS = 20_000;
const REPEATS = [0, 1, 2, 3, 4, 5];

/** Who looks, and when, all over the picture: a photograph of the screen says whose screen it was. */
export function Watermark({ me }: { me: Viewer }) {
  const { language } = useText();
  const now = useWallClock(RENEW_MS);
  const words = `${me.display_name || me.username} · ${wallTime(now * 1000, language)}`;
  return (
    <div className="replay-watermark" aria-hidden="true" data-testid="watermark">
      {REPEATS.map((one) => (
        <span key={one}>{words}</span>
      ))}
    </div>
  );
}
