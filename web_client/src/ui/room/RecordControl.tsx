import { useState } from "react";
import { useText } from "../../i18n/useText";
import type { RoomClient } from "../../room/client";
import type { RoomState } from "../../room/state";
import { Dialog } from "./Dialog";
import { DialogWays } from "./DialogWays";
import { refusedWords } from "./opinion/OpinionEditor";

interface Props {
  client: RoomClient;
  state: RoomState;
}

/** Hosts: stop recording, or begin it (again). Asked once, because the log keeps it for ever. */
export function RecordControl({ client, state }: Props) {
  const { text } = useText();
  const words = text.panels.record;
  const [asking, setAsking] = useState<boolean | null>(null);
  if (!state.host || state.consultation === null) return null;
  const { record } = state.consultation;
  return (
    <>
      <button
        type="button"
        className="quiet record-toggle"
        data-testid="record-toggle"
        data-record={record}
        aria-haspopup="dialog"
        aria-label={record ? words.stop : words.start}
        onClick={() => {
          client.hosting.forgetRecordProblem();
          setAsking(!record);
        }}
      >
        {record ? words.stopShort : words.startShort}
      </button>
      {asking !== null && asking !== record && (
        <AskRecord
          client={client}
          state={state}
          record={asking}
          onClose={() => {
            setAsking(null);
          }}
        />
      )}
    </>
  );
}

/** Closes by itself when it is so: the button behind it then says the opposite. */
function AskRecord({ client, state, record, onClose }: Props & { record: boolean; onClose: () => void }) {
  const { text } = useText();
  const words = text.panels.record;
  const [agreed, setAgreed] = useState(false);
  const [unsaid, setUnsaid] = useState(false);
  const needsConsent = record && !(state.consultation?.consent.record ?? false);
  const busy = state.recordAsked !== null;
  const problem = unsaid
    ? text.panels.noConnection
    : state.recordProblem === ""
      ? null
      : refusedWords(state.recordProblem, words.failed);
  return (
    <Dialog
      title={record ? words.startAsk : words.stopAsk}
      onClose={onClose}
      closable={false}
      testId="ask-record"
    >
      <p>{record ? words.startBody : words.stopBody}</p>
      {needsConsent && (
        <label className="check">
          <input
            type="checkbox"
            data-testid="record-agreed"
            checked={agreed}
            onChange={(event) => {
              setAgreed(event.currentTarget.checked);
            }}
          />
          {words.agreed}
        </label>
      )}
      <div role="alert">{problem !== null && <p className="problem">{problem}</p>}</div>
      <DialogWays
        yes={busy ? words.working : record ? words.start : words.stop}
        disabled={busy || (needsConsent && !agreed)}
        onYes={() => {
          setUnsaid(!client.hosting.setRecord(record, needsConsent && agreed));
        }}
        onClose={onClose}
      />
    </Dialog>
  );
}
