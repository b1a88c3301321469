import { useText } from "../../i18n/useText";
import type { OwnSource } from "../../media/publisher";
import type { RoomState } from "../../room/state";
import { SoundIcon } from "../icons";

interface Props {
  state: RoomState;
  onHear: () => void;
  onRetry: (source: OwnSource) => void;
  onDismiss: (source: OwnSource) => void;
}

/** What needs a person's attention, in a row of its own above the controls: never over a picture. */
export function Notices({ state, onHear, onRetry, onDismiss }: Props) {
  const { text } = useText();
  return (
    <div className="notices" role="status">
      {state.link === "reconnecting" && (
        <p className="notice" data-testid="reconnecting">
          {text.room.reconnecting}
        </p>
      )}
      {state.soundBlocked && (
        <p className="notice">
          <span>{text.room.soundBlocked}</span>
          <button type="button" className="primary" data-testid="hear" onClick={onHear}>
            <SoundIcon />
            {text.room.hear}
          </button>
        </p>
      )}
      <DeviceNotice source="microphone" state={state} onRetry={onRetry} onDismiss={onDismiss} />
      <DeviceNotice source="camera" state={state} onRetry={onRetry} onDismiss={onDismiss} />
    </div>
  );
}

function DeviceNotice({ source, state, onRetry, onDismiss }: Omit<Props, "onHear"> & { source: OwnSource }) {
  const { text } = useText();
  const device = state.devices[source];
  if (device.phase !== "failed") return null;
  return (
    <p className="notice" data-testid={`${source}-problem`} data-problem={device.problem}>
      <span>{text.problems[source][device.problem]}</span>
      <button
        type="button"
        onClick={() => {
          onRetry(source);
        }}
      >
        {text.room.tryAgain}
      </button>
      <button
        type="button"
        className="quiet"
        onClick={() => {
          onDismiss(source);
        }}
      >
        {text.room.goOnWithout}
      </button>
    </p>
  );
}
