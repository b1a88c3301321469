import { useEffect, useState } from "react";

const NAME = "teleconsult-wall";
const FEATURES = "popup,width=1280,height=720";

export type WallWindowState = "closed" | "open" | "blocked";

export interface WallWindowModel {
  state: WallWindowState;
  /** The element the wall is drawn into while the window is open. */
  container: HTMLElement | null;
  /** Call from a click, or the browser refuses. */
  open: () => void;
  close: () => void;
}

/**
 * An empty window of this page's own origin, under this page's own policy: the wall is drawn into it from here, with
 * the same streams, so that it needs no second seat and no second download. It closes with the room.
 */
export function useWallWindow(onOpened: () => void): WallWindowModel {
  const [target, setTarget] = useState<Window | null>(null);
  const [blocked, setBlocked] = useState(false);
  useEffect(() => {
    if (target === null) return undefined;
    const gone = () => {
      setTarget(null);
    };
    const close = () => {
      target.close();
    };
    target.addEventListener("pagehide", gone);
    window.addEventListener("pagehide", close);
    return () => {
      target.removeEventListener("pagehide", gone);
      window.removeEventListener("pagehide", close);
      close();
    };
  }, [target]);
  return {
    state: target !== null ? "open" : blocked ? "blocked" : "closed",
    container: target?.document.getElementById("root") ?? null,
    open: () => {
      const opened = window.open("", NAME, FEATURES);
      setBlocked(opened === null);
      setTarget(opened);
      if (opened === null) return;
      prepare(opened.document);
      onOpened();
    },
    close: () => {
      setTarget(null);
    },
  };
}

/** This page's styles and a place to draw into. The links are absolute: an empty page has no address to start from. */
function prepare(page: Document): void {
  const styles = [...document.querySelectorAll<HTMLElement>('link[rel="stylesheet"], style')].map((style) => {
    const copy = page.importNode(style, true);
    if (style instanceof HTMLLinkElement) copy.setAttribute("href", style.href);
    return copy;
  });
  const scheme = page.createElement("meta");
  scheme.name = "color-scheme";
  scheme.content = "dark";
  page.head.replaceChildren(scheme, ...styles);
  const root = page.createElement("div");
  root.id = "root";
  page.body.replaceChildren(root);
}

export function entitle(page: Document, title: string, language: string): void {
  page.title = title;
  page.documentElement.lang = language;
}
