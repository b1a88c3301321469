import { useCallback } from "react";
import type { RoomClient } from "../../room/client";
import { heardTracks } from "../../room/feeds";
import type { RoomState } from "../../room/state";
import { RemoteAudio } from "./RemoteAudio";

/** Everybody else's voices, whatever page of the room is shown. */
export function RoomSound({ client, state }: { client: RoomClient; state: RoomState }) {
  const blocked = useCallback(
    (isBlocked: boolean) => {
      client.soundBlocked(isBlocked);
    },
    [client],
  );
  const audio = heardTracks(state).flatMap((track) => state.remote.get(track.track_id) ?? []);
  return <RemoteAudio audio={audio} attempt={state.hearAttempt} onBlocked={blocked} />;
}
