import { useState } from "react";
import { useText } from "../../i18n/useText";
import { useStore } from "../../ui/hooks";
import { timeText, wallTime } from "../format";
import { RATES, type Rate, type ReplayPlayer } from "../player/replayPlayer";
import { useReplayText } from "../words";

interface Props {
  player: ReplayPlayer;
  /** Drawings are shown. */
  drawn: boolean;
  onDrawn: () => void;
}

/** Play, steps, speed, sound, drawings, and where one is. */
export function Controls({ player, drawn, onDrawn }: Props) {
  const { language } = useText();
  const words = useReplayText().controls;
  const { positionUs, playing, waiting, rate } = useStore(player.store);
  const [muted, setMuted] = useState(false);
  const { timeline } = player;
  return (
    <div className="replay-controls" role="group" aria-label={words.label}>
      <button
        type="button"
        className="primary"
        data-testid="replay-play"
        data-playing={playing}
        onClick={() => {
          player.toggle();
        }}
      >
        {playing ? words.pause : words.play}
      </button>
      <Step player={player} direction={-1} label={words.back} sign="◂" />
      <Step player={player} direction={1} label={words.on} sign="▸" />
      <label className="replay-speed">
        <span className="unseen">{words.speed}</span>
        <select
          value={rate}
          data-testid="replay-speed"
          onChange={(event) => {
            player.setRate(Number(event.target.value) as Rate);
          }}
        >
          {RATES.map((one) => (
            <option key={one} value={one}>
              {words.times(one)}
            </option>
          ))}
        </select>
      </label>
      <button
        type="button"
        className="quiet"
        aria-pressed={muted}
        onClick={() => {
          player.setMuted(!muted);
          setMuted(!muted);
        }}
      >
        {muted ? words.unmute : words.mute}
      </button>
      <button
        type="button"
        className="quiet"
        aria-pressed={drawn}
        data-testid="replay-drawings"
        onClick={onDrawn}
      >
        {words.drawings}
      </button>
      <p className="replay-where">
        <span className="unseen">{words.position}</span>
        <strong data-testid="replay-position" data-us={Math.round(positionUs)}>
          {timeText(positionUs, true)}
        </strong>
        <span className="muted">
          {timeText(timeline.lengthUs)} · {wallTime(timeline.epochUs + positionUs, language)}
        </span>
        <span className="muted">{waiting ? words.waiting : rate > 2 ? words.silent : ""}</span>
      </p>
      <p className="muted replay-keys">{words.keys}</p>
    </div>
  );
}

interface StepProps {
  player: ReplayPlayer;
  direction: 1 | -1;
  label: string;
  sign: string;
}

function Step({ player, direction, label, sign }: StepProps) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      data-testid={direction > 0 ? "replay-on" : "replay-back"}
      onClick={() => {
        player.step(direction);
      }}
    >
      <span aria-hidden="true">{sign}</span>
    </button>
  );
}
