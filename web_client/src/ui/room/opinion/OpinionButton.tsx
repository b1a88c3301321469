import { useText } from "../../../i18n/useText";
import type { RoomState } from "../../../room/state";
import { OpinionIcon } from "../panelIcons";
import { panelButtonId } from "../usePanels";

interface Props {
  state: Pick<RoomState, "opinions">;
  shown: boolean;
  onToggle: () => void;
}

/** Opens the written opinion; says how many are filed. */
export function OpinionButton({ state: { opinions }, shown, onToggle }: Props) {
  const { text } = useText();
  const words = text.panels.opinion;
  const count = opinions.length;
  return (
    <button
      id={panelButtonId("opinion")}
      type="button"
      data-testid="show-opinion"
      data-count={count}
      aria-pressed={shown}
      onClick={onToggle}
    >
      <OpinionIcon />
      <span>{words.open}</span>
      {count > 0 && (
        <>
          <span className="unread filed" aria-hidden="true">
            {count}
          </span>
          <span className="only-heard">{words.written(count)}</span>
        </>
      )}
    </button>
  );
}
