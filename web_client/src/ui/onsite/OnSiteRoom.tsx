import { useState } from "react";
import type { Session } from "../../api/session";
import { useText } from "../../i18n/useText";
import type { RoomClient } from "../../room/client";
import type { RoomState } from "../../room/state";
import { ControlNotices } from "../room/control/ControlNotices";
import { EndDialog } from "../room/EndDialog";
import { Notices } from "../room/Notices";
import { PauseBanner } from "../room/PauseBanner";
import { RoomHeader } from "../room/RoomHeader";
import { SettingsDialog } from "../room/SettingsDialog";
import { useStage } from "../room/useStage";
import { Experts } from "./Experts";
import { SiteChat } from "./SiteChat";
import { SiteControls } from "./SiteControls";
import { SitePictures } from "./SitePictures";
import { useWakeLock } from "./useWakeLock";

interface Props {
  client: RoomClient;
  session: Session;
  state: RoomState;
  onLeave: () => void;
}

/**
 * The room beside the patient: hands are busy and wear gloves, so everything is large, nothing needs a keyboard, and
 * voices stay whatever is touched.
 */
export function OnSiteRoom({ client, session, state, onLeave }: Props) {
  const { text } = useText();
  const stage = useStage(state);
  const [dialog, setDialog] = useState<"settings" | "end" | null>(null);
  const close = () => {
    setDialog(null);
  };
  useWakeLock();
  const consultationId = state.consultation?.consultation_id ?? null;
  return (
    <div className="room onsite" data-role="site" data-link={state.link} data-testid="onsite">
      <RoomHeader
        client={client}
        session={session}
        state={state}
        onSettings={() => {
          setDialog("settings");
        }}
      />
      <PauseBanner client={client} state={state} />
      <main className="onsite-main" aria-label={text.stage.onsite.title}>
        <SitePictures client={client} state={state} stage={stage} />
        <Experts client={client} state={state} feeds={stage.feeds} />
        <SiteChat client={client} state={state} />
      </main>
      <ControlNotices large={null} />
      <Notices client={client} state={state} />
      <SiteControls
        client={client}
        state={state}
        onEnd={() => {
          setDialog("end");
        }}
        onLeave={onLeave}
      />
      {dialog === "settings" && <SettingsDialog client={client} host={state.host} onClose={close} />}
      {dialog === "end" && consultationId !== null && (
        <EndDialog session={session} consultationId={consultationId} onClose={close} />
      )}
    </div>
  );
}
