import { useEffect, useRef, type ReactNode } from "react";
import { useText } from "../../i18n/useText";
import { useStore } from "../hooks";
import type { PictureZoom } from "./pictureZoom";
import { isWhole, STEP, transformOf } from "./zoom";
import { watchGestures } from "./zoomGestures";

interface Props {
  zoom: PictureZoom;
  /** Only a picture in focus or on the full screen is zoomed; elsewhere it is shown whole. */
  active: boolean;
  /** Moves with the picture. */
  children: ReactNode;
  /** Stays where it is. */
  over: ReactNode;
}

/** The box a picture stands in. Zooming and moving draw nothing anew: only the style of one element changes. */
export function ZoomablePicture({ zoom, active, children, over }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const moving = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!active || box.current === null || moving.current === null) return undefined;
    const stops = [
      watchFrame(box.current, zoom),
      watchZoom(box.current, moving.current, zoom),
      watchGestures(box.current, zoom),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }, [zoom, active]);
  return (
    <div className="picture" data-zoomable={active} ref={box}>
      <div className="zoomed" ref={moving}>
        {children}
      </div>
      {over}
    </div>
  );
}

/** Keeps the zoom told of the box's and the picture's size. */
function watchFrame(box: HTMLElement, zoom: PictureZoom): () => void {
  const measure = () => {
    zoom.setFrame({ box: { width: box.clientWidth, height: box.clientHeight } });
  };
  const picture = () => {
    const video = box.querySelector("video");
    const still = box.querySelector<HTMLImageElement>("img.still-picture");
    const width = video?.videoWidth ?? still?.naturalWidth ?? 0;
    const height = video?.videoHeight ?? still?.naturalHeight ?? 0;
    if (width > 0) zoom.setFrame({ picture: { width, height } });
  };
  const observer = new (box.ownerDocument.defaultView ?? window).ResizeObserver(measure);
  observer.observe(box);
  measure();
  picture();
  // Events of the video do not bubble; from above they are heard whichever video it is.
  box.addEventListener("resize", picture, true);
  box.addEventListener("loadedmetadata", picture, true);
  box.addEventListener("load", picture, true);
  return () => {
    observer.disconnect();
    box.removeEventListener("resize", picture, true);
    box.removeEventListener("loadedmetadata", picture, true);
    box.removeEventListener("load", picture, true);
  };
}

function watchZoom(box: HTMLElement, moving: HTMLElement, zoom: PictureZoom): () => void {
  const draw = () => {
    const now = zoom.store.get();
    moving.style.transform = isWhole(now) ? "" : transformOf(now, zoom.frame);
    box.dataset["zoomed"] = String(!isWhole(now));
  };
  draw();
  const stop = zoom.store.subscribe(draw);
  return () => {
    stop();
    moving.style.transform = "";
    delete box.dataset["zoomed"];
  };
}

/** How far a picture is zoomed, and the way in, out and back. */
export function ZoomControls({ zoom, name }: { zoom: PictureZoom; name: string }) {
  const { text } = useText();
  const words = text.stage.zoom;
  const now = useStore(zoom.store);
  const factor = now.factor.toFixed(1);
  const whole = isWhole(now);
  return (
    <span className="zoom-controls" role="group" aria-label={words.group(name)}>
      <button
        type="button"
        className="quiet icon-only"
        aria-label={words.out}
        title={words.out}
        aria-disabled={whole}
        onClick={() => {
          zoom.by(1 / STEP);
        }}
      >
        −
      </button>
      <button
        type="button"
        className="quiet zoom-factor"
        data-testid="zoom-factor"
        data-whole={whole}
        aria-label={whole ? words.isWhole(factor) : words.whole(factor)}
        title={whole ? words.isWhole(factor) : words.whole(factor)}
        aria-disabled={whole}
        onClick={() => {
          zoom.whole();
        }}
      >
        {words.factor(factor)}
      </button>
      <button
        type="button"
        className="quiet icon-only"
        aria-label={words.in}
        title={words.in}
        onClick={() => {
          zoom.by(STEP);
        }}
      >
        +
      </button>
    </span>
  );
}
