import { useEffect, useRef, type RefObject } from "react";

/**
 * When what had the focus inside `container` is taken out of the page, the focus goes to the container, or to the page's
 * main part when that is gone too: a keyboard must not be thrown back to the top of the page by what others do.
 */
export function useKeptFocus(container: RefObject<HTMLElement | null>): void {
  const last = useRef<Element | null>(null);
  useEffect(() => {
    const note = ({ target }: FocusEvent) => {
      const inside = target instanceof Element && container.current?.contains(target) === true;
      last.current = inside ? target : null;
    };
    document.addEventListener("focusin", note);
    return () => {
      document.removeEventListener("focusin", note);
    };
  }, [container]);
  useEffect(() => {
    if (last.current === null || last.current.isConnected) return;
    last.current = null;
    if (document.activeElement !== null && document.activeElement !== document.body) return;
    const next = container.current ?? document.querySelector<HTMLElement>("main");
    if (next === null) return;
    if (!next.hasAttribute("tabindex")) next.setAttribute("tabindex", "-1");
    next.focus({ preventScroll: true });
  });
}
