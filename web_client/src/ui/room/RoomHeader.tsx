import { useEffect, useState } from "react";
import { consultation as readConsultation } from "../../api/calls";
import type { Session } from "../../api/session";
import { useText } from "../../i18n/useText";
import type { ConsultationInfo } from "../../protocol/messages";
import type { RoomClient } from "../../room/client";
import { headCount } from "../../room/feeds";
import type { RoomState } from "../../room/state";
import { LanguageButton } from "../LanguageButton";
import { useNow } from "../hooks";
import { ConsentBadge } from "./ConsentBadge";
import { RecordControl } from "./RecordControl";
import { Question } from "./Question";
import { SettingsIcon } from "./panelIcons";
import { elapsedWords } from "./spans";

interface Props {
  client: RoomClient;
  session: Session;
  state: RoomState;
  onSettings: () => void;
}

/** Whose consultation this is, what is asked, how long it lasts, whether it is recorded and may be, who is here. */
export function RoomHeader({ client, session, state, onSettings }: Props) {
  const { text } = useText();
  const { consultation } = state;
  const reason = useRecordReason(session, consultation);
  return (
    <header className="room-header">
      <div className="room-title">
        <h1>{consultation ? consultation.header || text.consultations.unnamed : text.room.connecting}</h1>
        {consultation && consultation.specialty !== "" && (
          <span className="specialty">{consultation.specialty}</span>
        )}
        {consultation && <Question question={consultation.question} site={consultation.site} />}
      </div>
      {consultation && (
        <>
          <Elapsed client={client} openedAtUs={consultation.opened_at_us} />
          <Recording
            state={consultation.recording}
            problem={consultation.recording_problem}
            stoppedBy={consultation.record ? "" : state.recordBy}
          />
          <RecordControl client={client} state={state} />
          <ConsentBadge client={client} state={state} reason={reason} />
          <span className="people-count" data-testid="people-count">
            {text.room.people(headCount(state))}
          </span>
        </>
      )}
      <span className="header-ways">
        <LanguageButton />
        <button
          type="button"
          className="quiet icon-only"
          data-testid="settings"
          aria-label={text.panels.settings.open}
          title={text.panels.settings.open}
          onClick={onSettings}
        >
          <SettingsIcon />
        </button>
      </span>
    </header>
  );
}

/** Why it is not recorded is written in the consultation, not said in the room. Without an answer it stays unknown. */
function useRecordReason(session: Session, info: RoomState["consultation"]): string {
  const [known, setKnown] = useState<{ id: string; reason: string } | null>(null);
  const id = info?.consultation_id ?? null;
  const wanted = info !== null && info.recording === "off";
  useEffect(() => {
    if (id === null || !wanted) return undefined;
    let gone = false;
    readConsultation(session, id).then(
      ({ record_reason: reason }) => {
        if (!gone) setKnown({ id, reason });
      },
      () => undefined,
    );
    return () => {
      gone = true;
    };
  }, [session, id, wanted]);
  return wanted && known?.id === id ? known.reason : "";
}

function Elapsed({ client, openedAtUs }: { client: RoomClient; openedAtUs: number }) {
  const { text } = useText();
  const serverTimeUs = client.clock.roughServerTimeUs(useNow(1000));
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

function Recording({
  state,
  problem,
  stoppedBy,
}: {
  state: ConsultationInfo["recording"];
  problem: ConsultationInfo["recording_problem"];
  stoppedBy: string;
}) {
  const { text } = useText();
  const words = {
    off: text.recording.off,
    starting: text.recording.starting,
    recording: text.recording.recording,
    failed: text.recording.failed,
  };
  const titles = { recording: text.recording.recordingLong, failed: text.panels.recordingFailed[problem] };
  const by = state === "off" && stoppedBy !== "" ? text.panels.record.stoppedBy(stoppedBy) : "";
  return (
    <span
      className="recording"
      data-testid="recording"
      data-state={state}
      role="status"
      title={
        state === "recording" || state === "failed" ? titles[state] : by === "" ? undefined : words.off + by
      }
    >
      {words[state]}
      {by !== "" && <span className="recording-by">{by}</span>}
    </span>
  );
}
