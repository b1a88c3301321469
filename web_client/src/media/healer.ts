import { IceRecovery, type Remedy } from "./recovery";

/** How to carry out a remedy on one peer connection. */
export type Treat = Record<Remedy, () => void>;

/** Looks after both peer connections; called on every change and on every tick. */
export class MediaHealer {
  private readonly receiving = new IceRecovery();
  private readonly sending = new IceRecovery();

  constructor(
    private readonly treatReceiving: Treat,
    private readonly treatSending: Treat,
  ) {}

  /** A state is null while there is nothing to receive or to send. */
  look(
    receiving: RTCPeerConnectionState | null,
    sending: RTCPeerConnectionState | null,
    nowMs: number,
  ): void {
    const forReceiving = receiving === null ? null : this.receiving.update(receiving, nowMs);
    if (forReceiving !== null) this.treatReceiving[forReceiving]();
    const forSending = sending === null ? null : this.sending.update(sending, nowMs);
    if (forSending !== null) this.treatSending[forSending]();
  }

  /** Both connections begin anew. */
  reset(): void {
    this.receiving.reset();
    this.sending.reset();
  }
}
