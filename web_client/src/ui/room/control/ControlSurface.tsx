import { use, useEffect, useId, useRef } from "react";
import { useText } from "../../../i18n/useText";
import type { PressLine } from "../../../room/control/pressLine";
import type { PictureZoom } from "../pictureZoom";
import { watchHands } from "./hands";
import { ControlContext, useControls } from "./useControl";

interface Props {
  feedId: string;
  name: string;
  zoom: PictureZoom;
}

/** Over the picture of a device that this person controls. With the focus, keys and mouse are the device's. */
export function ControlSurface({ feedId, name, zoom }: Props) {
  useControls();
  const line = use(ControlContext)?.lineOf(feedId) ?? null;
  return line === null ? null : <Surface line={line} name={name} zoom={zoom} />;
}

function Surface({ line, name, zoom }: { line: PressLine; name: string; zoom: PictureZoom }) {
  const { control } = useText().text;
  const element = useRef<HTMLDivElement>(null);
  const hint = useId();
  useEffect(() => {
    if (element.current === null) return undefined;
    return watchHands(element.current, line, zoom);
  }, [line, zoom]);
  return (
    <div
      ref={element}
      className="control-surface"
      data-testid="control-surface"
      role="application"
      aria-label={control.surface(name)}
      aria-describedby={hint}
      // Not on the way of the Tab key, which belongs to the device from here: a button beside it leads in.
      tabIndex={-1}
      data-own-keys
    >
      <span id={hint} className="unseen">
        {control.held}
      </span>
    </div>
  );
}
