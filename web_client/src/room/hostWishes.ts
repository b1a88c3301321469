import type { ClientMessage } from "../protocol/messages";
import { reduce, type RoomEvent } from "./reducer";
import type { RoomState } from "./state";
import type { Store } from "./store";

/** What hosts ask for, and the server has to confirm. `say` returns false when the room is away. */
export class HostWishes {
  constructor(
    private readonly store: Store<RoomState>,
    private readonly say: (message: ClientMessage) => boolean,
  ) {}

  /** Asked until the server confirms it, beyond a connection that is away. */
  setPaused(paused: boolean): void {
    this.dispatch({ type: "pause-asked", paused });
    this.say({ type: "set_paused", paused });
  }

  /** A pause that was asked for while the room was away is not forgotten. */
  repeatPause(): void {
    const { pauseAsked, consultation } = this.store.get();
    if (pauseAsked === null) return;
    if (consultation?.paused === pauseAsked) this.dispatch({ type: "pause-asked", paused: null });
    else this.say({ type: "set_paused", paused: pauseAsked });
  }

  /**
   * Begin, or stop, to record. Not repeated beyond a connection that went away: who decides looks at the room.
   * `consent`: the patient has just agreed. Returns false when the room is away.
   */
  setRecord(record: boolean, consent: boolean): boolean {
    const said = this.say({ type: "set_record", record, consent });
    if (said) this.dispatch({ type: "record-asked", record });
    return said;
  }

  /** What was refused before is forgotten: somebody asks anew. */
  forgetRecordProblem(): void {
    this.dispatch({ type: "record-asked", record: this.store.get().recordAsked });
  }

  private dispatch(event: RoomEvent): void {
    this.store.set(reduce(this.store.get(), event));
  }
}
