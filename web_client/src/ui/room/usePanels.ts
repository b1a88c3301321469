import { useState } from "react";

export type PanelName = "chat" | "people" | "opinion";

export interface Panels {
  chat: boolean;
  people: boolean;
  opinion: boolean;
  toggle: (name: PanelName) => void;
  /** Closed from within: the focus goes back to the button that opens it. */
  close: (name: PanelName) => void;
}

/** The button that opens a panel. */
export const panelButtonId = (name: PanelName) => `show-${name}`;

type Shown = Readonly<Record<PanelName, boolean>>;
const NONE: Shown = { chat: false, people: false, opinion: false };

/** What is shown after a press; on a narrow screen one panel at a time, so that the picture stays. Pure. */
export function toggled(shown: Shown, name: PanelName, narrow: boolean): Shown {
  if (shown[name]) return { ...shown, [name]: false };
  return narrow ? { ...NONE, [name]: true } : { ...shown, [name]: true };
}

/** The same width at which `panels.css` makes sheets of them. */
export const NARROW = "(max-width: 45rem)";

/** Which panels stand beside the pictures. */
export function usePanels(): Panels {
  const [shown, setShown] = useState<Shown>(NONE);
  const toggle = (name: PanelName) => {
    setShown(toggled(shown, name, window.matchMedia(NARROW).matches));
  };
  const close = (name: PanelName) => {
    setShown({ ...shown, [name]: false });
    document.getElementById(panelButtonId(name))?.focus();
  };
  return { ...shown, toggle, close };
}
