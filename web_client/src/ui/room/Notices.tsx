import type { ReactNode } from "react";
import { useText } from "../../i18n/useText";
import type { OwnSource } from "../../media/publisher";
import type { RoomClient } from "../../room/client";
import { otherSeats } from "../../room/feeds";
import type { RoomState } from "../../room/state";
import { AudioWarnings } from "../devices/AudioWarnings";
import { useNow } from "../hooks";
import { SoundIcon } from "../icons";
import { LobbyPanel } from "./LobbyPanel";
import { spanWords } from "./spans";

interface Props {
  client: RoomClient;
  state: RoomState;
}

/** What needs a person's attention, in a row of its own above the controls: never over a picture. */
export function Notices({ client, state }: Props) {
  return (
    <div className="notices">
      <LobbyPanel client={client} state={state} />
      <div className="notice-list" role="status">
        <LinkNotice client={client} state={state} />
        <PauseNotice state={state} />
        <RecordingNotice state={state} />
        <SoundNotice client={client} state={state} />
        <DeviceNotice source="microphone" client={client} state={state} />
        <DeviceNotice source="camera" client={client} state={state} />
        <DeviceNotice source="screen" client={client} state={state} />
        <SharingNotice client={client} state={state} />
        <SeatsNotice client={client} state={state} />
      </div>
      <AudioWarnings client={client} state={state} />
    </div>
  );
}

function Notice({ kind, children }: { kind: string; children: ReactNode }) {
  return (
    <p className="notice" data-testid={`notice-${kind}`}>
      {children}
    </p>
  );
}

function LinkNotice({ client, state: { away, online } }: Props) {
  const { text } = useText();
  const { link } = text.panels;
  if (!online) {
    return (
      <Notice kind="offline">
        <span data-testid="reconnecting">{link.offline}</span>
      </Notice>
    );
  }
  if (away === null) return null;
  return (
    <Notice kind="reconnecting">
      <span data-testid="reconnecting" data-reason={away.reason}>
        {link[away.reason]} <AwayFor sinceMs={away.sinceMs} />
      </span>
      <button
        type="button"
        onClick={() => {
          client.hurry();
        }}
      >
        {link.now}
      </button>
    </Notice>
  );
}

/** A timer: seen, but not read out every second. */
function AwayFor({ sinceMs }: { sinceMs: number }) {
  const { text } = useText();
  const seconds = Math.max(0, Math.floor((useNow(1000) - sinceMs) / 1000));
  return (
    <span role="timer" className="tabular">
      {text.panels.link.since(spanWords(seconds, text))}
    </span>
  );
}

/** A privacy pause that was asked for and is not yet in force must not look like one. */
function PauseNotice({ state: { pauseAsked, link } }: Pick<Props, "state">) {
  const { text } = useText();
  if (pauseAsked === null || link === "joined") return null;
  return (
    <Notice kind="pause-pending">
      <strong className="problem">
        {pauseAsked ? text.panels.pause.notYet : text.panels.pause.notResumedYet}
      </strong>
    </Notice>
  );
}

function RecordingNotice({ state: { consultation } }: Pick<Props, "state">) {
  const { text } = useText();
  if (consultation?.recording !== "failed") return null;
  const { recording_problem: problem } = consultation;
  return (
    <Notice kind={problem === "disk_full" ? "disk-full" : "recording-failed"}>
      <strong>{text.panels.recordingFailed[problem]}</strong>
    </Notice>
  );
}

function SoundNotice({ client, state }: Props) {
  const { text } = useText();
  if (!state.soundBlocked) return null;
  return (
    <Notice kind="sound-blocked">
      <span>{text.room.soundBlocked}</span>
      <button
        type="button"
        className="primary"
        data-testid="hear"
        onClick={() => {
          client.hear();
        }}
      >
        <SoundIcon />
        {text.room.hear}
      </button>
    </Notice>
  );
}

function DeviceNotice({ source, client, state }: Props & { source: OwnSource }) {
  const { text } = useText();
  const device = state.devices[source];
  if (device.phase !== "failed") return null;
  return (
    <Notice kind={source}>
      <span data-testid={`${source}-problem`} data-problem={device.problem}>
        {text.problems[source][device.problem]}
      </span>
      <button
        type="button"
        onClick={() => {
          client.own.set(source, true);
        }}
      >
        {text.room.tryAgain}
      </button>
      <button
        type="button"
        className="quiet"
        onClick={() => {
          client.own.dismiss(source);
        }}
      >
        {text.room.goOnWithout}
      </button>
    </Notice>
  );
}

/** Own screen: what everybody sees must not be forgotten. One click stops it. */
function SharingNotice({ client, state }: Props) {
  const { text } = useText();
  if (state.devices.screen.phase !== "on") return null;
  return (
    <Notice kind="sharing">
      <span>{text.panels.screen.sharing}</span>
      <button
        type="button"
        data-testid="stop-sharing"
        onClick={() => {
          client.own.set("screen", false);
        }}
      >
        {text.panels.screen.stop}
      </button>
    </Notice>
  );
}

function SeatsNotice({ client, state }: Props) {
  const { text } = useText();
  const { seats } = text.panels;
  const others = otherSeats(state).filter(({ participant_id: id }) => !state.keptSeats.has(id));
  if (others.length === 0) return null;
  return (
    <Notice kind="other-seat">
      <span>{seats.also}</span>
      <button
        type="button"
        className="primary"
        data-testid="take-over"
        onClick={() => {
          client.say({ type: "take_over" });
        }}
      >
        {seats.only}
      </button>
      <button
        type="button"
        data-testid="keep-both"
        onClick={() => {
          client.keepOtherSeats();
        }}
      >
        {seats.both}
      </button>
    </Notice>
  );
}
