import { useEffect, useRef } from "react";
import type { RemoteTrack } from "../../media/subscriber";

interface Props {
  audio: readonly RemoteTrack[];
  /** Changes when the person clicked to hear: every element tries again, within that click's permission. */
  attempt: number;
  onBlocked: (blocked: boolean) => void;
}

/** One element per voice, outside the tiles: whoever is heard stays heard whatever is looked at. */
export function RemoteAudio({ audio, attempt, onBlocked }: Props) {
  return (
    <div hidden>
      {audio.map(({ trackId, stream }) => (
        <Voice key={trackId} stream={stream} attempt={attempt} onBlocked={onBlocked} />
      ))}
    </div>
  );
}

function Voice({ stream, attempt, onBlocked }: Omit<Props, "audio"> & { stream: MediaStream }) {
  const element = useRef<HTMLAudioElement>(null);
  useEffect(() => {
    const audio = element.current;
    if (audio === null) return;
    if (audio.srcObject !== stream) audio.srcObject = stream;
    void play(audio, onBlocked);
  }, [stream, attempt, onBlocked]);
  // Live speech has no captions to offer.
  // eslint-disable-next-line jsx-a11y/media-has-caption
  return <audio ref={element} />;
}

async function play(audio: HTMLAudioElement, onBlocked: (blocked: boolean) => void): Promise<void> {
  try {
    await audio.play();
    onBlocked(false);
  } catch (error) {
    // An AbortError only says that the stream was exchanged meanwhile.
    if (error instanceof DOMException && error.name === "NotAllowedError") onBlocked(true);
  }
}
