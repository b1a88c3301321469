import { useState } from "react";
import { useText } from "../../i18n/useText";
import type { RoomClient } from "../../room/client";
import type { RoomState } from "../../room/state";
import { Ask } from "./Ask";
import { Dialog } from "./Dialog";

interface Props {
  client: RoomClient;
  state: RoomState;
  /** Why it is not recorded, as the site wrote it down; empty when unknown. */
  reason?: string;
}

/** What the patient agreed to, for everyone to see; hosts note here that the patient no longer agrees to recording. */
export function ConsentBadge({ client, state, reason = "" }: Props) {
  const { text } = useText();
  const { consent } = text.panels;
  const [shown, setShown] = useState(false);
  const [asking, setAsking] = useState(false);
  if (state.consultation === null) return null;
  const { record } = state.consultation.consent;
  const ending =
    !record && (state.consultation.recording === "recording" || state.consultation.recording === "starting");
  return (
    <span className="consent">
      <button
        type="button"
        className="quiet"
        data-testid="consent"
        data-record={record}
        aria-haspopup="dialog"
        onClick={() => {
          setShown(true);
        }}
      >
        {record ? consent.given : consent.notGiven}
      </button>
      {state.host && record && (
        <button
          type="button"
          className="quiet"
          data-testid="consent-toggle"
          aria-haspopup="dialog"
          onClick={() => {
            setAsking(true);
          }}
        >
          {consent.withdraw}
        </button>
      )}
      {shown && (
        <Dialog
          title={consent.label}
          onClose={() => {
            setShown(false);
          }}
        >
          <p>{record ? consent.recordedWhy : ending ? consent.endingWhy : consent.notRecordedWhy}</p>
          {reason !== "" && <p>{consent.reason(reason)}</p>}
          {state.host && record && (
            <div className="dialog-ways">
              <button
                type="button"

                onClick={() => {
                  setShown(false);
                  setAsking(true);
                }}
              >
                {consent.withdraw}
              </button>
            </div>
          )}
        </Dialog>
      )}
      {asking && (
        <Ask
          question={consent.ask}
          means={consent.askBody}
          yes={consent.askYes}
          onYes={() => (client.say({ type: "set_consent", record: false }) ? null : text.panels.noConnection)}
          onClose={() => {
            setAsking(false);
          }}
        />
      )}
    </span>
  );
}
