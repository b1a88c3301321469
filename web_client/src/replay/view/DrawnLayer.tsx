import { useEffect, useEffectEvent, useRef } from "react";
import { useDrawingWords } from "../../annotation/context";
import type { Words } from "../../annotation/paint";
import { useText } from "../../i18n/useText";
import type { Still } from "../../protocol/messages";
import { pictureOf, type ArchivedDrawings } from "../drawings/archived";
import { runDrawn } from "../drawings/loop";
import type { ReplayPlayer } from "../player/replayPlayer";
import type { TrackPlayer } from "../player/trackPlayer";

interface Props {
  player: ReplayPlayer;
  picture: TrackPlayer;
  drawings: ArchivedDrawings;
  /** It is over this frozen frame instead. */
  still?: Still;
}

/** What was drawn on a picture, at the moment and on the frame that is shown. */
export function DrawnLayer({ player, picture, drawings, still }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const words = useDrawingWords();
  const { language } = useText();
  const length = useEffectEvent((mm: number | null) =>
    mm === null
      ? words.noScale
      : words.millimetres(mm.toLocaleString(language, { maximumFractionDigits: 1 })),
  );
  const unsure = useEffectEvent(() => words.unsure);
  useEffect(() => {
    if (canvas.current === null) return undefined;
    const said: Words = { length: (mm) => length(mm), unsure: () => unsure() };
    const name = pictureOf(picture.track);
    const { epochUs } = player.timeline;
    const now = () => {
      const atUs = player.positionUs;
      const version = drawings.version;
      if (still !== undefined) {
        const shownUs = still.captured_us - epochUs;
        return { atUs, shownUs, version, drawn: () => drawings.onStill(still, atUs) };
      }
      const shownUs = picture.state === "shown" ? (picture.shown?.atUs ?? atUs) : atUs;
      return { atUs, shownUs, version, drawn: () => drawings.at(name, atUs, shownUs) };
    };
    return runDrawn(canvas.current, { now, epochUs, words: said });
  }, [player, picture, drawings, still]);
  return (
    <canvas
      ref={canvas}
      className="replay-drawing"
      data-testid={`replay-${still === undefined ? "drawing" : "still-drawing"}-${picture.track.name}`}
      aria-hidden="true"
    />
  );
}
