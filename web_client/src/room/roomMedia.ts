import { DrawingDesk } from "../annotation/desk";
import { FreezeRoom } from "../annotation/freeze/freezeRoom";
import { decodableCodecs } from "../media/codecs";
import { MediaHealer } from "../media/healer";
import { MediaMonitor } from "../media/monitor";
import { DOUBTFUL_MS, PathWatch, receivedBytes } from "../media/pathWatch";
import { preferences } from "../media/preferences";
import { Relays } from "../media/relays";
import { Subscriber } from "../media/subscriber";
import type { ClientMessage, ServerMessage } from "../protocol/messages";
import type { ClockSync } from "./clockSync";
import { ControlDesk } from "./control/controlDesk";
import { OwnMedia } from "./ownMedia";
import type { RoomFiles } from "./roomFiles";
import type { RoomEvent } from "./reducer";
import type { RoomState } from "./state";
import { Viewing } from "./viewing";

/** Before asking again for what the server could not do at the moment. */
const RETRY_MS = 1_000;

export interface RoomMediaParts {
  state: () => RoomState;
  clock: ClockSync;
  dispatch: (event: RoomEvent) => void;
  say: (message: ClientMessage) => boolean;
  /** The network may be gone: is the room still there? */
  doubt: () => void;
  /** Pictures of frozen frames. */
  stills: Pick<RoomFiles, "read">;
  /** Monotonic, ms. */
  now: () => number;
}

/** Both peer connections of a stay and what is known about their pictures; heals them while the room is there. */
export class RoomMedia {
  readonly monitor: MediaMonitor;
  /** How both connections are made. */
  readonly relays = new Relays();
  readonly subscriber: Subscriber;
  readonly own: OwnMedia;
  /** Which pictures are on screen, and how large. */
  readonly viewing: Viewing;
  readonly drawings: DrawingDesk;
  readonly freezing: FreezeRoom;
  readonly controlling: ControlDesk;
  private readonly healer: MediaHealer;
  private readonly receivingPath = new PathWatch();
  private readonly sendingPath = new PathWatch();
  private looking = false;
  private doubtful = false;
  /** Asked for, and no offer has come since: asking may have been in vain. */
  private restartDue = false;

  constructor(private readonly parts: RoomMediaParts) {
    this.monitor = new MediaMonitor(parts.state, parts.clock, parts.now);
    this.monitor.onJudgement = (change) => parts.say({ type: "report_quality", ...change });
    this.viewing = new Viewing({ say: (views) => parts.say({ type: "set_view", views }), now: parts.now });
    this.drawings = new DrawingDesk({
      say: (message) => parts.say(message),
      newId: () => crypto.randomUUID(),
      nowMs: parts.now,
      serverTimeUs: () => parts.clock.serverTimeUs(parts.now()),
      later: (act, ms) => setTimeout(act, ms),
    });
    const { say, stills } = parts;
    this.freezing = new FreezeRoom({ say, read: (file) => stills.read(file), monitor: this.monitor });
    this.controlling = new ControlDesk({
      say,
      nowMs: parts.now,
      serverTimeUs: () => parts.clock.roughServerTimeUs(parts.now()),
      later: (act, ms) => setTimeout(act, ms),
      tracks: () => parts.state().tracks,
    });
    this.subscriber = this.createSubscriber();
    this.own = this.createOwnMedia();
    this.healer = this.createHealer();
  }

  /** A new seat: whatever was asked for in the one before is not answered any more. */
  enter(): void {
    this.own.publisher.forgetAnswers();
    this.start();
  }

  /** A new seat, or the media server lost us: everything from the beginning. */
  start(): void {
    this.healer.reset();
    this.restartDue = false;
    this.receivingPath.reset();
    this.sendingPath.reset();
    this.subscribe();
    void this.own.publisher.rebuild();
  }

  /** The same participant is back: the connections live on, and the server repeats what they missed. */
  resume(): void {
    const isSilent = Math.max(this.receivingPath.silentMs, this.sendingPath.silentMs) >= DOUBTFUL_MS;
    const lost = this.restartDue || isSilent;
    if (lost) this.healer.restarted(this.parts.now());
    if (lost || this.subscriber.state !== "connected") this.restartReceiving();
    void this.own.publisher.resume(lost);
  }

  networkChanged(): void {
    this.healer.restarted(this.parts.now());
    this.restartReceiving();
    void this.own.publisher.restartIce();
  }

  /** Does anything arrive? To be asked several times a second. */
  async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    try {
      await Promise.all([
        this.listen(this.receivingPath, this.subscriber),
        this.listen(this.sendingPath, this.own.publisher),
      ]);
    } finally {
      this.looking = false;
    }
    this.doubt();
    this.heal();
  }

  received(message: ServerMessage): void {
    this.drawings.received(message);
    this.freezing.freezes.received(message);
    this.controlling.received(message);
    switch (message.type) {
      case "offer":
        this.restartDue = false;
        if (message.fresh) this.monitor.forgetClocks();
        this.subscriber.offered(message);
        break;
      case "published":
        this.own.published(message);
        break;
      case "layers_wanted":
        this.own.layersWanted(message);
        break;
      case "capture_clock":
        this.monitor.captureClock(message);
        break;
      case "media_reset":
        this.start();
        break;
      case "error":
        this.refused(message.about, message.code);
        break;
      default:
    }
  }

  async readStats(): Promise<void> {
    const report = await this.subscriber.getStats();
    if (report !== null) this.monitor.statsRead(report);
  }

  heal(): void {
    if (this.parts.state().link !== "joined") return;
    // Without tracks to receive there is nothing to connect for.
    const receiving = this.expectsMedia() ? this.subscriber.state : null;
    this.healer.look(
      { state: receiving, silentMs: this.receivingPath.silentMs },
      { state: this.own.publisher.state, silentMs: this.sendingPath.silentMs },
      this.parts.now(),
    );
  }

  close(): void {
    this.viewing.close();
    this.own.close();
    this.subscriber.close();
    this.freezing.pictures.clear();
    this.controlling.close();
  }

  private createHealer(): MediaHealer {
    return new MediaHealer(
      {
        restart: () => {
          this.restartReceiving();
        },
        rebuild: () => {
          this.subscribe();
        },
      },
      {
        restart: () => void this.own.publisher.restartIce(),
        rebuild: () => void this.own.publisher.rebuild(),
      },
    );
  }

  private createSubscriber(): Subscriber {
    return new Subscriber(
      {
        answer: (revision, sdp) => {
          this.parts.say({ type: "answer", revision, sdp });
        },
        tracks: (tracks) => {
          this.parts.dispatch({ type: "remote", tracks });
        },
        state: (state) => {
          this.parts.dispatch({ type: "receiving", state });
          this.heal();
        },
        failed: () => {
          this.subscribeLater();
        },
      },
      this.relays.connect,
    );
  }

  private createOwnMedia(): OwnMedia {
    return new OwnMedia(
      {
        say: (message) => {
          this.parts.say(message);
        },
        device: (source, device) => {
          this.parts.dispatch({ type: "device", source, device });
        },
        state: (state) => {
          this.parts.dispatch({ type: "sending", state });
          this.heal();
        },
        later: (act) => {
          this.later(act);
        },
      },
      preferences,
      this.relays.connect,
    );
  }

  private async listen(path: PathWatch, from: Pick<Subscriber, "getStats">): Promise<void> {
    // Closed meanwhile: the next look asks the connection there is by then.
    const report = await from.getStats().catch(() => null);
    path.read(report === null ? null : receivedBytes(report), this.parts.now());
  }

  /** Once for every silence. */
  private doubt(): void {
    const silentMs = Math.max(this.receivingPath.silentMs, this.sendingPath.silentMs);
    const before = this.doubtful;
    this.doubtful = silentMs >= DOUBTFUL_MS;
    if (this.doubtful && !before) this.parts.doubt();
  }

  private restartReceiving(): void {
    this.restartDue = true;
    this.parts.say({ type: "restart_ice" });
  }

  private subscribe(): void {
    this.parts.say({ type: "subscribe", codecs: decodableCodecs() });
  }

  private refused(about: string | null, code: string): void {
    if (about === "restart_ice") this.subscribe();
    if (about === "subscribe" || about === "answer") this.subscribeLater();
    if (about === "publish") this.own.refused(code);
  }

  private subscribeLater(): void {
    this.later(() => {
      this.subscribe();
    });
  }

  private later(act: () => void): void {
    setTimeout(() => {
      if (this.parts.state().link === "joined") act();
    }, RETRY_MS);
  }

  private expectsMedia(): boolean {
    const { tracks, me, unsupported } = this.parts.state();
    return tracks.some(
      (track) => track.participant_id !== me?.participant_id && !unsupported.has(track.track_id),
    );
  }
}
