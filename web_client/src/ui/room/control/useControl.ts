import { createContext, use } from "react";
import type { Control } from "../../../protocol/messages";
import {
  NO_CONTROLS,
  type ControlDesk,
  type Controls,
  type EndedControl,
} from "../../../room/control/controlDesk";
import { Store } from "../../../room/store";
import type { Dictionary } from "../../../i18n/en";
import { useNow, useStore } from "../../hooks";

/** Remote control in this stay; null outside a room. */
export const ControlContext = createContext<ControlDesk | null>(null);

const NOWHERE = new Store(NO_CONTROLS);

export function useControls(): Controls {
  return useStore(use(ControlContext)?.store ?? NOWHERE);
}

/** `4:32` until this stage ends by itself; null while the server's clock is unknown. */
export function useTimeLeft(desk: ControlDesk, { until_us }: Control): string | null {
  useNow(500);
  const nowUs = desk.serverTimeUs();
  return nowUs === null ? null : clockWords((until_us - nowUs) / 1_000_000);
}

/** Seconds as minutes and seconds; a time that is over is 0:00. */
export function clockWords(seconds: number): string {
  const left = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
}

/** Who it is, and from where. */
export function whoWords({ name, organisation }: Control, text: Dictionary): string {
  return organisation === "" ? name : text.control.from(name, organisation);
}

export function endWords({ reason, by }: EndedControl, { control }: Dictionary): string {
  const words = control.ends[reason ?? "away"];
  return by === "" ? words : `${words} ${control.by(by)}`;
}

export function problemWords(code: string, { control: { problems } }: Dictionary): string {
  const known: Partial<Record<string, string>> = { ...problems, other: "" };
  return known[code] ?? problems.other(code);
}
