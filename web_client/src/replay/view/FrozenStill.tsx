import { useEffect, useRef, useState, type CSSProperties, type ReactNode } from "react";
import { useFreezeWords } from "../../annotation/freeze/context";
import type { Still } from "../../protocol/messages";
import { stillPicture } from "../drawings/stills";
import type { Load } from "../player/sourceFeeder";
import type { Timeline } from "../player/timeline";
import { ReplayError } from "../worker/protocol";
import { useReplayText } from "../words";

type Look = "waiting" | "shown" | "missing" | "altered" | "failed";

interface Props {
  still: Still;
  timeline: Timeline;
  load: Load;
  title: string;
  /** Layers over it, each as large as it is. */
  children: ReactNode;
}

/** The frame that was frozen, as the capture box had it; what was recorded meanwhile goes on beside it. */
export function FrozenStill({ still, timeline, load, title, children }: Props) {
  const words = useReplayText().wall;
  const { stillOf } = useFreezeWords();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [look, setLook] = useState<Look>("waiting");
  useEffect(() => {
    let wanted = true;
    const show = (bitmap: ImageBitmap) => {
      if (wanted && canvas.current !== null) paint(bitmap, canvas.current);
      if (wanted) setLook("shown");
      bitmap.close();
    };
    stillPicture(still, timeline, load)
      .then((bytes) => createImageBitmap(new Blob([bytes])))
      .then(show, (error: unknown) => {
        if (wanted) setLook(lookOf(error));
      });
    return () => {
      wanted = false;
    };
  }, [still, timeline, load]);
  const said = { ...words, missing: words.stillMissing, shown: "" };
  const style = still.width > 0 && still.height > 0 ? { "--ratio": String(still.width / still.height) } : {};
  return (
    <div
      className="replay-screen replay-frozen"
      data-testid={`replay-still-${still.feed}`}
      data-look={look}
      data-still={still.still_id}
      style={style as CSSProperties}
    >
      {/* No `img`: the page that replays without a service may show no picture from elsewhere. */}
      <div className="replay-still" role="img" aria-label={stillOf(title)}>
        <canvas ref={canvas} />
      </div>
      <div className="replay-layers">{look === "shown" && children}</div>
      {look !== "shown" && (
        <p className="replay-cover" role="status">
          {said[look]}
        </p>
      )}
    </div>
  );
}

function paint(bitmap: ImageBitmap, canvas: HTMLCanvasElement): void {
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
}

function lookOf(error: unknown): Look {
  const code = error instanceof ReplayError ? error.code : "failed";
  return code === "missing" || code === "altered" ? code : "failed";
}
