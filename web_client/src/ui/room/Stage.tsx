import type { ReactNode } from "react";
import { useText } from "../../i18n/useText";
import type { RoomClient } from "../../room/client";
import type { RoomState } from "../../room/state";
import { LoweredWords } from "./LoweredWords";
import { Pictures } from "./Pictures";
import type { StageModel } from "./useStage";
import { WallWindow } from "./WallWindow";

interface Props {
  client: RoomClient;
  state: RoomState;
  stage: StageModel;
  /** Panels beside the pictures, such as the list of people. */
  children?: ReactNode;
}

/** Where the pictures are, and what is open beside them. */
export function Stage({ client, state, stage, children }: Props) {
  const { text } = useText();
  const { container } = stage.wallWindow;
  return (
    <div className="stage-area">
      <main className="pictures" aria-label={text.room.feeds}>
        <Pictures client={client} state={state} stage={stage} view={stage.view} />
      </main>
      <LoweredWords state={state} />
      {children}
      {container && <WallWindow client={client} state={state} stage={stage} container={container} />}
    </div>
  );
}
