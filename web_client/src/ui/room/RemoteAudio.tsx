import { useEffect, useRef } from "react";
import { preferences } from "../../media/preferences";
import type { RemoteTrack } from "../../media/subscriber";
import { playThrough } from "../devices/speaker";
import { useStore } from "../hooks";

interface Props {
  audio: readonly RemoteTrack[];
  /** Changes when the person clicked to hear: every element tries again, within that click's permission. */
  attempt: number;
  onBlocked: (blocked: boolean) => void;
}

/** One element per voice, outside the tiles: whoever is heard stays heard whatever is looked at. */
export function RemoteAudio({ audio, attempt, onBlocked }: Props) {
  const { speaker } = useStore(preferences.store);
  return (
    <div hidden>
      {audio.map(({ trackId, stream }) => (
        <Voice
          key={trackId}
          stream={stream}
          speakerId={speaker?.deviceId ?? ""}
          attempt={attempt}
          onBlocked={onBlocked}
        />
      ))}
    </div>
  );
}

interface VoiceProps extends Omit<Props, "audio"> {
  stream: MediaStream;
  /** "" is the system's loudspeaker. */
  speakerId: string;
}

function Voice({ stream, speakerId, attempt, onBlocked }: VoiceProps) {
  const element = useRef<HTMLAudioElement>(null);
  useEffect(() => {
    if (element.current !== null) void playThrough(element.current, speakerId);
  }, [speakerId]);
  useEffect(() => {
    const audio = element.current;
    if (audio === null) return;
    if (audio.srcObject !== stream) audio.srcObject = stream;
    void play(audio, onBlocked);
  }, [stream, attempt, onBlocked]);
  return (
    // Live speech has no captions to offer.
    // eslint-disable-next-line jsx-a11y/media-has-caption
    <audio
      ref={element}
      onPause={(event) => {
        // As when a headset goes: Safari then pauses whatever plays.
        if (event.currentTarget.isConnected) void play(event.currentTarget, onBlocked);
      }}
    />
  );
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
