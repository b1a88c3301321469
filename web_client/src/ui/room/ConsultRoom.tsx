import { useEffect, useState } from "react";
import type { Session } from "../../api/session";
import { preferences } from "../../media/preferences";
import type { RoomClient } from "../../room/client";
import type { RoomState } from "../../room/state";
import { ChatPanel } from "./chat/ChatPanel";
import { Controls } from "./Controls";
import { askOrUse } from "./control/ControlBar";
import { ControlNotices } from "./control/ControlNotices";
import { EndDialog } from "./EndDialog";
import { InviteDialog } from "./InviteDialog";
import { KeysDialog } from "./KeysDialog";
import { Notices } from "./Notices";
import { OpinionPanel } from "./opinion/OpinionPanel";
import { PauseBanner } from "./PauseBanner";
import { PeopleList } from "./PeopleList";
import { RoomHeader } from "./RoomHeader";
import { SettingsDialog } from "./SettingsDialog";
import { Stage } from "./Stage";
import { toggleFullScreen } from "./fullScreen";
import { toggleQuestion } from "./Question";
import { usePanels, type Panels } from "./usePanels";
import { useRoomKeys } from "./useRoomKeys";
import { useStage, type StageModel } from "./useStage";

interface Props {
  client: RoomClient;
  session: Session;
  state: RoomState;
  onLeave: () => void;
}

type OpenDialog = "keys" | "settings" | "invite" | "end" | null;

/** The room as specialists see it, and the site when it sits at a desk. */
export function ConsultRoom({ client, session, state, onLeave }: Props) {
  const stage = useStage(state);
  const panels = usePanels();
  const [dialog, setDialog] = useState<OpenDialog>(null);
  const close = () => {
    setDialog(null);
  };
  useKeys(client, state, stage, panels, () => {
    setDialog("keys");
  });
  useNoStrayDrops();
  const consultationId = state.consultation?.consultation_id ?? null;
  return (
    <div className="room" data-role={state.me?.role} data-link={state.link} data-testid="room">
      <RoomHeader
        client={client}
        session={session}
        state={state}
        onSettings={() => {
          setDialog("settings");
        }}
      />
      <PauseBanner client={client} state={state} />
      <Stage client={client} state={state} stage={stage}>
        <OpenPanels client={client} state={state} panels={panels} />
      </Stage>
      <ControlNotices large={stage.view === "focus" ? (stage.focus?.id ?? null) : null} />
      <Notices client={client} state={state} />
      <Controls
        client={client}
        state={state}
        view={stage.view}
        panels={panels}
        onView={stage.setView}
        onInvite={() => {
          setDialog("invite");
        }}
        onEnd={() => {
          setDialog("end");
        }}
        onKeys={() => {
          setDialog("keys");
        }}
        onLeave={onLeave}
      />
      {dialog === "keys" && <KeysDialog host={state.host} onClose={close} />}
      {dialog === "settings" && <SettingsDialog client={client} host={state.host} onClose={close} />}
      {dialog === "invite" && consultationId !== null && (
        <InviteDialog session={session} consultationId={consultationId} onClose={close} />
      )}
      {dialog === "end" && consultationId !== null && (
        <EndDialog session={session} consultationId={consultationId} onClose={close} />
      )}
    </div>
  );
}

function OpenPanels({ client, state, panels }: Pick<Props, "client" | "state"> & { panels: Panels }) {
  if (!panels.people && !panels.chat && !panels.opinion) return null;
  return (
    <div className="panels">
      {panels.people && (
        <PeopleList
          client={client}
          state={state}
          onClose={() => {
            panels.close("people");
          }}
        />
      )}
      {panels.opinion && (
        <OpinionPanel
          client={client}
          state={state}
          onClose={() => {
            panels.close("opinion");
          }}
        />
      )}
      {panels.chat && (
        <ChatPanel
          client={client}
          state={state}
          onClose={() => {
            panels.close("chat");
          }}
        />
      )}
    </div>
  );
}

function useKeys(
  client: RoomClient,
  state: RoomState,
  stage: StageModel,
  panels: Panels,
  help: () => void,
): void {
  useRoomKeys({
    isTalking: () => state.devices.microphone.phase === "on",
    holdsToTalk: () => preferences.get().talkMode === "hold",
    talk: (on) => {
      client.own.set("microphone", on);
    },
    camera: () => {
      client.own.toggle("camera");
    },
    screen: () => {
      client.own.toggle("screen");
    },
    focusNumber: (index) => {
      const feed = stage.feeds[index];
      if (feed) stage.choose(feed.id);
    },
    wall: () => {
      stage.setView(stage.view === "focus" ? "wall" : "focus");
    },
    fullScreen: () => {
      if (stage.focus) toggleFullScreen(stage.focus.id);
    },
    freeze: () => {
      if (stage.focus !== null && stage.view === "focus") client.media.freezing.toggle(stage.focus);
    },
    control: () => {
      if (stage.focus !== null && stage.view === "focus") askOrUse(client.media.controlling, stage.focus);
    },
    chat: () => {
      panels.toggle("chat");
    },
    people: () => {
      panels.toggle("people");
    },
    opinion: () => {
      panels.toggle("opinion");
    },
    question: toggleQuestion,
    pause: () => {
      if (state.host) client.setPaused(!(state.pauseAsked ?? state.consultation?.paused ?? false));
    },
    help,
  });
}

/** A file dropped beside the chat would replace the page, and with it the consultation. */
function useNoStrayDrops(): void {
  useEffect(() => {
    const refuse = (event: DragEvent) => {
      if (event.defaultPrevented || event.dataTransfer?.types.includes("Files") !== true) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "none";
    };
    window.addEventListener("dragover", refuse);
    window.addEventListener("drop", refuse);
    return () => {
      window.removeEventListener("dragover", refuse);
      window.removeEventListener("drop", refuse);
    };
  }, []);
}
