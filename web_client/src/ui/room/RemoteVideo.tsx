import { useEffect, useRef, type RefObject } from "react";
import type { MediaMonitor } from "../../media/monitor";
import type { Viewing } from "../../room/viewing";
import type { PictureZoom } from "./pictureZoom";

export type Places = Pick<Viewing, "place" | "changed">;
export type FrameMonitor = Pick<MediaMonitor, "frameShown" | "shownBy">;

interface Props {
  stream: MediaStream;
  /** Is told of every frame that comes on screen. */
  monitor: FrameMonitor;
  trackId: string;
  /** Knows how large pictures are shown. */
  viewing: Places;
  /** The picture this person looks at. */
  focused?: boolean;
  zoom?: PictureZoom | null;
}

/** A remote picture. Silent: sound has elements of its own, which outlive the tiles. */
export function RemoteVideo({ stream, monitor, trackId, viewing, focused = false, zoom = null }: Props) {
  const element = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const video = element.current;
    if (video === null) return;
    video.srcObject = stream;
    return watchFrames(video, monitor, trackId);
  }, [stream, monitor, trackId]);
  usePlace(element, trackId, viewing, focused, zoom);
  return (
    <video
      ref={element}
      autoPlay
      playsInline
      muted
      disablePictureInPicture
      onPause={(event) => {
        keepPlaying(event.currentTarget);
      }}
    />
  );
}

/** The server is told how large the picture stands here, and chooses by it what to send. */
function usePlace(
  element: RefObject<HTMLVideoElement | null>,
  trackId: string,
  viewing: Places,
  focused: boolean,
  zoom: PictureZoom | null,
): void {
  const focus = useRef(focused);
  useEffect(() => {
    if (element.current === null) return undefined;
    return viewing.place({
      element: element.current,
      trackId,
      focus: () => focus.current,
      zoom: () => zoom?.store.get().factor ?? 1,
    });
  }, [element, trackId, viewing, zoom]);
  useEffect(() => {
    focus.current = focused;
    viewing.changed();
  }, [viewing, focused]);
  useEffect(
    () =>
      zoom?.store.subscribe(() => {
        viewing.changed();
      }),
    [viewing, zoom],
  );
}

/** Nobody can pause a live picture or voice here: when a browser did, it goes on. Refused, the picture says so. */
export function keepPlaying(media: HTMLMediaElement): void {
  if (media.isConnected) media.play().catch(() => undefined);
}

function watchFrames(
  video: HTMLVideoElement,
  monitor: FrameMonitor,
  trackId: string,
): (() => void) | undefined {
  // Old browsers lack it; then the decoder's counters alone say whether the picture lives.
  if (!("requestVideoFrameCallback" in video)) return undefined;
  const offsetMs = clockOffsetMs(video.ownerDocument.defaultView);
  let handle = 0;
  const shown: VideoFrameRequestCallback = (now, metadata) => {
    const shownMs = Math.max(now, metadata.expectedDisplayTime) + offsetMs;
    monitor.frameShown(trackId, metadata.rtpTimestamp ?? null, shownMs);
    handle = video.requestVideoFrameCallback(shown);
  };
  handle = video.requestVideoFrameCallback(shown);
  const noLonger = monitor.shownBy(trackId, () => video.ownerDocument.visibilityState === "visible");
  return () => {
    noLonger();
    video.cancelVideoFrameCallback(handle);
  };
}

/** Another window's `performance.now()` began when that window did. */
function clockOffsetMs(view: Window | null): number {
  return view === null || view === window ? 0 : window.performance.now() - view.performance.now();
}
