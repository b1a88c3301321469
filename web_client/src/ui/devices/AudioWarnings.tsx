import { useCallback, useState } from "react";
import { useText } from "../../i18n/useText";
import { Audibility, type AudibleFacts, type Unheard } from "../../media/audibility";
import type { Level } from "../../media/level";
import { MutedSpeech } from "../../media/mutedSpeech";
import { preferences } from "../../media/preferences";
import { isHuman } from "../../room/feeds";
import type { RoomClient } from "../../room/client";
import type { RoomState } from "../../room/state";
import { useStore } from "../hooks";
import { speakerGone } from "./speaker";
import { useOwnMicrophone, useTicks } from "./useDevices";

const EVERY_MS = 50;

interface Warnings {
  mutedSpeech: boolean;
  unheard: Unheard | null;
}

const NONE: Warnings = { mutedSpeech: false, unheard: null };

/** What stands between a person and being heard, in words, with what to do. Nothing is shown while all is well. */
export function AudioWarnings({ client, state }: { client: RoomClient; state: RoomState }) {
  const { text } = useText();
  const words = text.audio.warnings;
  const { mutedSpeech, unheard } = useWarnings(client);
  const { talkMode } = useStore(preferences.store);
  const replaced = useStore(client.own.replaced);
  const noSpeaker = useStore(speakerGone);
  return (
    <div className="audio-warnings" role="status">
      {mutedSpeech && (
        <p className="notice" data-testid="notice-muted-speaking">
          <span>{talkMode === "hold" ? words.mutedSpeakingHold : words.mutedSpeaking}</span>
          {talkMode === "toggle" && (
            <button
              type="button"
              className="primary"
              onClick={() => {
                client.own.set("microphone", true);
              }}
            >
              {words.unmute}
            </button>
          )}
        </p>
      )}
      {unheard !== null && state.link === "joined" && !state.waiting && (
        <p className="notice" data-testid="notice-unheard" data-cause={unheard}>
          <span>{words.unheard[unheard]}</span>
        </p>
      )}
      {replaced !== null && replaced.source !== "screen" && (
        <Dismissible
          words={words.replaced[replaced.source](replaced.label === "" ? words.otherDevice : replaced.label)}
          onDismiss={() => {
            client.own.replaced.set(null);
          }}
        />
      )}
      {noSpeaker && (
        <Dismissible
          words={words.speakerGone}
          onDismiss={() => {
            speakerGone.set(false);
          }}
        />
      )}
    </div>
  );
}

function Dismissible({ words, onDismiss }: { words: string; onDismiss: () => void }) {
  const { text } = useText();
  return (
    <p className="notice">
      <span>{words}</span>
      <button type="button" className="quiet" onClick={onDismiss}>
        {text.audio.warnings.understood}
      </button>
    </p>
  );
}

/** Feeds the detectors; redraws only when one of them changes its mind. */
function useWarnings(client: RoomClient): Warnings {
  const track = useOwnMicrophone(client.own);
  const [warnings, setWarnings] = useState(NONE);
  const [detectors] = useState(() => ({ mutedSpeech: new MutedSpeech(), audibility: new Audibility() }));
  const look = useCallback(
    (level: Level | null) => {
      const now = performance.now();
      const room = client.store.get();
      const muted = room.devices.microphone.phase === "muted";
      const own = mayBeOthers(client) ? null : level;
      const next = {
        mutedSpeech: detectors.mutedSpeech.update(own, muted, now),
        unheard: detectors.audibility.update(facts(room, track, level), now),
      };
      setWarnings((before) =>
        before.mutedSpeech === next.mutedSpeech && before.unheard === next.unheard ? before : next,
      );
    },
    [client, detectors, track],
  );
  useTicks(track, EVERY_MS, look);
  return warnings;
}

/** While others are heard over loudspeakers, the microphone hears them too: that is not this person. */
function mayBeOthers(client: RoomClient): boolean {
  return preferences.get().profile !== "headset" && client.monitor.readings.get().speaking.size > 0;
}

function facts(state: RoomState, track: MediaStreamTrack | null, level: Level | null): AudibleFacts {
  const me = state.me?.participant_id;
  const own = state.tracks.find((one) => one.source === "microphone" && one.participant_id === me);
  return {
    on: state.link === "joined" && state.devices.microphone.phase === "on",
    peak: level?.peak ?? null,
    systemMuted: track?.muted ?? false,
    sending: state.sending,
    track: own ?? null,
    others: state.participants.filter((one) => isHuman(one) && one.participant_id !== me).length,
  };
}
