import { useState, type RefObject } from "react";
import { useStore } from "../ui/hooks";
import { viewOf } from "./canvasLoop";
import { useDrawingWords } from "./context";
import type { DrawingDesk } from "./desk";
import { scaleOf } from "./geometry";
import { measuredAnew } from "./gesture";

interface Props {
  desk: DrawingDesk;
  feedId: string;
  canvas: RefObject<HTMLCanvasElement | null>;
}

/** How long the ruler that was drawn last is: along the picture's own scale, for all rulers after it. */
export function Calibration({ desk, feedId, canvas }: Props) {
  const words = useDrawingWords();
  const [entered, setEntered] = useState("");
  const drawings = desk.of(feedId);
  useStore(drawings.version);
  const person = desk.author?.person;
  const ruler = drawings.marks().findLast((mark) => mark.tool === "ruler" && mark.author === person);
  const { calibration } = drawings;
  const set = () => {
    const mm = Number(entered.replace(",", "."));
    if (ruler === undefined || canvas.current === null || !Number.isFinite(mm)) return;
    const { width, height } = viewOf(canvas.current, null).frame.picture;
    const scale = scaleOf(ruler.points, mm, width / height);
    if (scale === null) return;
    drawings.do({ op: "calibrate", scale });
    measuredAnew(ruler, scale, () => crypto.randomUUID(), drawings);
    setEntered("");
  };
  return (
    <span className="drawing-calibration">
      {ruler !== undefined && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            set();
          }}
        >
          <label>
            {words.calibrate}
            <input
              inputMode="decimal"
              size={6}
              value={entered}
              onChange={(event) => {
                setEntered(event.currentTarget.value);
              }}
            />
          </label>
          <button type="submit">{words.calibrateSet}</button>
        </form>
      )}
      {calibration !== null && (
        <>
          <span>{words.calibratedBy(calibration.author_name)}</span>
          <button
            type="button"
            onClick={() => {
              drawings.do({ op: "calibrate", scale: null });
            }}
          >
            {words.uncalibrate}
          </button>
        </>
      )}
    </span>
  );
}
