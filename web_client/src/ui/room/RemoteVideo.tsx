import { useEffect, useRef } from "react";

interface Props {
  stream: MediaStream;
  /** A frame came on screen: its RTP timestamp, where the browser tells, and when (`performance.now()` ms). */
  onFrame: (rtpTimestamp: number | null, shownMs: number) => void;
}

/** A remote picture. Silent: sound has elements of its own, which outlive the tiles. */
export function RemoteVideo({ stream, onFrame }: Props) {
  const element = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const video = element.current;
    if (video === null) return;
    video.srcObject = stream;
    return watchFrames(video, onFrame);
  }, [stream, onFrame]);
  return <video ref={element} autoPlay playsInline muted disablePictureInPicture />;
}

function watchFrames(video: HTMLVideoElement, onFrame: Props["onFrame"]): (() => void) | undefined {
  // Old browsers lack it; then the decoder's counters alone say whether the picture lives.
  if (!("requestVideoFrameCallback" in video)) return undefined;
  let handle = 0;
  const shown: VideoFrameRequestCallback = (now, metadata) => {
    onFrame(metadata.rtpTimestamp ?? null, Math.max(now, metadata.expectedDisplayTime));
    handle = video.requestVideoFrameCallback(shown);
  };
  handle = video.requestVideoFrameCallback(shown);
  return () => {
    video.cancelVideoFrameCallback(handle);
  };
}
