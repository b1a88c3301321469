import { use } from "react";
import { useText } from "../../i18n/useText";
import { MoveIcon } from "../icons";
import { MovingContext } from "./useMoving";

/** Moves a picture on the wall: dragged with mouse or finger, or pressed and then moved with the arrow keys. */
export function MoveHandle({ feedId, name }: { feedId: string; name: string }) {
  const { text } = useText();
  const moving = use(MovingContext);
  if (moving === null) return null;
  const held = moving.id === feedId;
  return (
    <button
      type="button"
      className="quiet icon-only move-handle"
      data-testid={`move-${feedId}`}
      aria-pressed={held}
      aria-label={text.stage.move.handle(name)}
      title={text.stage.move.hint}
      onClick={() => {
        if (held) moving.putDown();
        else moving.pickUp(feedId);
      }}
      onKeyDown={(event) => {
        if (!held || !moving.key(event.key)) return;
        event.preventDefault();
        event.stopPropagation();
      }}
    >
      <MoveIcon />
    </button>
  );
}
