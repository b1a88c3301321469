import { MediaMonitor } from "../../media/monitor";
import type { RemoteTrack } from "../../media/subscriber";
import type { RoomClient } from "../../room/client";
import { person, track } from "../../room/fixtures";
import { initialState, type RoomState } from "../../room/state";
import { Store } from "../../room/store";
import { Viewing } from "../../room/viewing";

/** A room with these device pictures, without a network. For tests of what is drawn. */
export function roomWith(feeds: readonly string[], over: Partial<RoomState> = {}): RoomState {
  const me = person("me", { person: "u_me" });
  const tracks = feeds.map((feed) => track(`t-${feed}`, { feed }));
  const remote = new Map(tracks.map(({ track_id: id }) => [id, remoteTrack(id)]));
  const participants = [me, person("box", { role: "device" })];
  return { ...initialState("demo"), link: "joined", me, participants, tracks, remote, ...over };
}

function remoteTrack(trackId: string): RemoteTrack {
  return { trackId, track: { id: trackId } as MediaStreamTrack, stream: new MediaStream() };
}

/** What the pictures need of a client: a real monitor of a store's state. */
export function clientOf(store: Store<RoomState>): RoomClient {
  const clock = { serverTimeUs: (ms: number) => ms * 1_000, best: null };
  const monitor = new MediaMonitor(store.get, clock, () => performance.now());
  const viewing = new Viewing({ say: () => true, now: () => performance.now() });
  return { monitor, store, clock, viewing } as unknown as RoomClient;
}
