import { use, useEffect, useEffectEvent, useRef, useState } from "react";
import { useText } from "../i18n/useText";
import type { MediaMonitor } from "../media/monitor";
import { useStore } from "../ui/hooks";
import type { PictureZoom } from "../ui/room/pictureZoom";
import { runCanvas, videoUnder, type Doubts } from "./canvasLoop";
import { DrawingContext, useDrawingWords } from "./context";
import type { DrawingDesk } from "./desk";
import { DrawingTools } from "./DrawingTools";
import { Hand, type HandParts, type TextSpot } from "./hand";
import { onStill } from "./freeze/annotated";
import { HeldFrame } from "./held";
import { TextEntry } from "./TextEntry";
import "./drawing.css";

interface Props {
  feedId: string;
  trackId: string;
  monitor: Pick<MediaMonitor, "shownUs">;
  zoom: PictureZoom;
  /** It is in focus or on the full screen: it may be zoomed and drawn on. */
  active: boolean;
  /** Its box follows tissue. */
  follows: boolean;
  name: string;
  /** It is a still: the capture time of its frame, Unix µs. */
  stillUs?: number;
}

/** The drawings over one picture, and the tools where it is large enough to draw on. */
export function DrawingLayer(props: Props) {
  const desk = use(DrawingContext);
  return desk === null ? null : <Layer {...props} desk={desk} />;
}

function Layer({
  feedId,
  trackId,
  monitor,
  zoom,
  active,
  follows,
  name,
  stillUs,
  desk,
}: Props & { desk: DrawingDesk }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const words = useDrawingWords();
  const { language } = useText();
  const tools = useStore(desk.toolbox.store);
  const [writing, setWriting] = useState<TextSpot | null>(null);
  const [hand, setHand] = useState<Hand | null>(null);
  const [doubts, setDoubts] = useState<Doubts>([0, 0, 0]);
  const [held] = useState(() => new HeldFrame());
  const isHeld = useStore(held.store) !== null;
  const length = useEffectEvent((mm: number | null) =>
    mm === null
      ? words.noScale
      : words.millimetres(mm.toLocaleString(language, { maximumFractionDigits: 1 })),
  );
  const unsure = useEffectEvent(() => words.unsure);
  const canFollow = useEffectEvent(() => follows);
  const write = useEffectEvent((at: TextSpot) => {
    setWriting(at);
  });
  useEffect(() => {
    if (canvas.current === null) return undefined;
    const drawings = desk.of(feedId);
    const parts: HandParts = {
      canvas: canvas.current,
      desk,
      drawings,
      feed: feedId,
      zoom: () => (active ? zoom : null),
      shownUs: () => stillUs ?? held.store.get()?.shownUs ?? monitor.shownUs(trackId),
      isStill: stillUs !== undefined,
      follows: () => canFollow(),
      held,
      write: (at) => {
        write(at);
      },
    };
    const made = new Hand(parts);
    const stop = runCanvas({
      ...parts,
      words: { length: (mm) => length(mm), unsure: () => unsure() },
      ...(stillUs === undefined ? {} : { only: onStill }),
      doubts: setDoubts,
      everyFrame: () => {
        made.flush();
      },
    });
    const stopListening = made.listen();
    setHand(made);
    return () => {
      stop();
      stopListening();
      made.letGo();
    };
  }, [desk, feedId, trackId, monitor, zoom, active, held, stillUs]);
  const draws = active && tools.tool !== "hand";
  const holds = draws && tools.anchor === "frame" && stillUs === undefined;
  useEffect(() => {
    const video = canvas.current && holds && videoUnder(canvas.current);
    // A browser that does not tell of frames holds the one it shows when the pen comes down.
    if (!video || !("requestVideoFrameCallback" in video)) return undefined;
    return held.follow(video, () => monitor.shownUs(trackId));
  }, [holds, held, monitor, trackId]);
  return (
    <>
      <canvas
        ref={canvas}
        className="drawing"
        data-testid={`${stillUs === undefined ? "drawing" : "still-drawing"}-${feedId}`}
        data-draws={draws}
        aria-hidden="true"
      />
      {active && writing !== null && (
        <TextEntry
          at={writing.shown}
          onDone={(text) => {
            setWriting(null);
            if (text !== "") hand?.place(text, writing.place);
            held.release();
          }}
        />
      )}
      {active && (
        <DrawingTools
          desk={desk}
          feedId={feedId}
          name={name}
          canvas={canvas}
          follows={follows}
          isStill={stillUs !== undefined}
        />
      )}
      <p className="drawing-doubts" role="status" data-testid={`doubts-${feedId}`}>
        {[
          isHeld && words.held,
          ...doubts.map(
            (count, at) => count > 0 && (at < 2 || (active && !isHeld)) && words.doubts[at]?.(count),
          ),
        ]
          .filter(Boolean)
          .join(" · ")}
      </p>
    </>
  );
}
