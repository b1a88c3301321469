import { useState } from "react";
import { useText } from "../../i18n/useText";
import { preferences } from "../../media/preferences";
import { useStore } from "../hooks";
import { playTestSound } from "./tones";

type Phase = "idle" | "playing" | "played" | "failed";

/** Plays a sound through the chosen loudspeaker and says what should be heard. */
export function TestSound() {
  const { text } = useText();
  const words = text.audio.settings;
  const { speaker } = useStore(preferences.store);
  const [phase, setPhase] = useState<Phase>("idle");
  const play = async () => {
    setPhase("playing");
    try {
      await playTestSound(speaker?.deviceId ?? "");
      setPhase("played");
    } catch {
      setPhase("failed");
    }
  };
  return (
    <div className="test-sound">
      <button
        type="button"

        data-phase={phase}
        aria-disabled={phase === "playing"}
        onClick={() => {
          if (phase !== "playing") void play();
        }}
      >
        {phase === "playing" ? words.testSoundPlaying : words.testSound}
      </button>
      <p className={phase === "failed" ? "problem" : "muted"} role="status">
        {phase === "failed" && words.testSoundFailed}
        {(phase === "playing" || phase === "played") && words.testSoundHint}
      </p>
    </div>
  );
}
