import { IceRecovery, type Remedy } from "./recovery";

/** How to carry out a remedy on one peer connection. */
export type Treat = Record<Remedy, () => void>;

/** `silentMs`: for how long nothing has arrived. */
export interface Condition {
  state: RTCPeerConnectionState | null;
  silentMs: number;
}

/** Looks after both peer connections; called on every change and on every tick. */
export class MediaHealer {
  private readonly receiving = new IceRecovery();
  private readonly sending = new IceRecovery();

  constructor(
    private readonly treatReceiving: Treat,
    private readonly treatSending: Treat,
  ) {}

  /** A state is null while there is nothing to receive or to send. */
  look(receiving: Condition, sending: Condition, nowMs: number): void {
    const forReceiving = remedyFor(this.receiving, receiving, nowMs);
    if (forReceiving !== null) this.treatReceiving[forReceiving]();
    const forSending = remedyFor(this.sending, sending, nowMs);
    if (forSending !== null) this.treatSending[forSending]();
  }

  /** The network changed, and both were restarted for it. */
  restarted(nowMs: number): void {
    this.receiving.restarted(nowMs);
    this.sending.restarted(nowMs);
  }

  /** Both connections begin anew. */
  reset(): void {
    this.receiving.reset();
    this.sending.reset();
  }
}

const remedyFor = (recovery: IceRecovery, { state, silentMs }: Condition, nowMs: number) =>
  state === null ? null : recovery.update(state, nowMs, silentMs);
