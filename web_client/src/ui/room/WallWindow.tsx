import { useEffect, useState } from "react";
import { createPortal } from "react-dom";
import { useText } from "../../i18n/useText";
import type { RoomClient } from "../../room/client";
import type { RoomState } from "../../room/state";
import { FullScreenIcon } from "../icons";
import { PageDocument, togglePageFullScreen } from "./fullScreen";
import { Pictures } from "./Pictures";
import { ZoomShelf } from "./pictureZoom";
import type { StageModel } from "./useStage";
import { useWindowClock } from "./useReadings";
import { entitle } from "./useWallWindow";

interface Props {
  client: RoomClient;
  state: RoomState;
  stage: StageModel;
  container: HTMLElement;
}

/** The wall in its own window. A click there chooses the main picture here. */
export function WallWindow({ client, state, stage, container }: Props) {
  const { text, language } = useText();
  const page = container.ownerDocument;
  // The two windows have different sizes: a picture is zoomed in each by itself.
  const [zooms] = useState(() => new ZoomShelf());
  useWindowClock(page, client.monitor);
  const title = text.stage.wall.title(state.consultation?.header ?? "");
  useEffect(() => {
    entitle(page, title, language);
  }, [page, title, language]);
  return createPortal(
    <PageDocument value={page}>
      <div className="wall-window">
        <Pictures client={client} state={state} stage={{ ...stage, zooms }} view="wall" ownWindow />
        <button
          type="button"
          className="wall-full-screen"
          onClick={() => {
            togglePageFullScreen(page);
          }}
        >
          <FullScreenIcon />
          <span>{text.stage.wall.fullScreen}</span>
        </button>
      </div>
    </PageDocument>,
    container,
  );
}
