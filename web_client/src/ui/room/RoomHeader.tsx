import { useText } from "../../i18n/useText";
import type { RoomClient } from "../../room/client";
import { isHuman } from "../../room/feeds";
import type { RoomState } from "../../room/state";
import { LanguageButton } from "../LanguageButton";
import { useNow } from "../hooks";
import { elapsedWords } from "./spans";

/** Whose consultation this is, how long it lasts, whether it is recorded, who is here. */
export function RoomHeader({ client, state }: { client: RoomClient; state: RoomState }) {
  const { text } = useText();
  const people = state.participants.filter(isHuman).length;
  return (
    <header className="room-header">
      <h1 data-testid="consultation-header">
        {state.consultation ? state.consultation.header || text.consultations.unnamed : text.room.connecting}
      </h1>
      {state.consultation && (
        <>
          <Elapsed client={client} openedAtUs={state.consultation.opened_at_us} />
          <Recording state={state.consultation.recording} reason={state.recordingReason} />
          <span className="people-count" data-testid="people-count">
            {text.room.people(people)}
          </span>
        </>
      )}
      <LanguageButton />
    </header>
  );
}

function Elapsed({ client, openedAtUs }: { client: RoomClient; openedAtUs: number }) {
  const { text } = useText();
  const serverTimeUs = client.clock.serverTimeUs(useNow(1000));
  if (serverTimeUs === null) return null;
  const words = elapsedWords((serverTimeUs - openedAtUs) / 1_000_000);
  return (
    <span
      className="elapsed"
      role="timer"
      aria-label={`${text.room.elapsed}: ${words}`}
      title={text.room.elapsed}
    >
      {words}
    </span>
  );
}

type RecordingState = NonNullable<RoomState["consultation"]>["recording"];

function Recording({ state, reason }: { state: RecordingState; reason: string }) {
  const { text } = useText();
  const words = {
    off: text.recording.off,
    starting: text.recording.starting,
    recording: text.recording.recording,
    failed: reason === "" ? text.recording.failed : text.recording.failedWhy(reason),
  };
  return (
    <span
      className="recording"
      data-testid="recording"
      data-state={state}
      role="status"
      title={state === "recording" ? text.recording.recordingLong : undefined}
    >
      {words[state]}
    </span>
  );
}
