import type { PressLine } from "../../../room/control/pressLine";
import type { PictureZoom } from "../pictureZoom";
import { wheelPx } from "../zoomGestures";

type Line = Pick<PressLine, "key" | "pointerAt" | "turned" | "letGo">;
type Place = Pick<PictureZoom, "toPicture">;

/** The way out for a keyboard: Tab goes to the device. */
const leaves = ({ code, shiftKey }: KeyboardEvent) => code === "Escape" && shiftKey;

/**
 * Keyboard, mouse, pen and finger on a surface over a picture → what is down on its device, while the surface has the
 * focus. Without it they mean what they mean on any picture; the click that gives it the focus is not the device's.
 * Returns how to stop.
 */
export function watchHands(surface: HTMLElement, line: Line, zoom: Place): () => void {
  const page = surface.ownerDocument;
  const view = page.defaultView ?? window;
  const stop = new AbortController();
  const { signal } = stop;
  const hasFocus = () => page.activeElement === surface && page.hasFocus();
  const on = <Name extends keyof HTMLElementEventMap>(
    name: Name,
    act: (event: HTMLElementEventMap[Name]) => void,
  ) => {
    surface.addEventListener(name, act, { signal, passive: false });
  };
  const take = (event: Event) => {
    event.preventDefault();
    event.stopPropagation();
  };
  /** A Mac says of this key only that it is on (down) or off (up) from now: a tap on the device's, each. */
  const isTap = ({ code }: KeyboardEvent) =>
    code === "CapsLock" && view.navigator.userAgent.includes("Mac OS X");
  const point = (event: PointerEvent) => {
    if (!hasFocus()) return;
    take(event);
    // The device has one pointer: a second finger is none of its business.
    if (!event.isPrimary) return;
    const { left, top } = surface.getBoundingClientRect();
    const { x, y } = zoom.toPicture({ x: event.clientX - left, y: event.clientY - top });
    line.pointerAt(x, y, event.buttons);
  };
  const letGo = () => {
    line.letGo();
  };

  on("keydown", (event) => {
    if (!hasFocus()) return;
    take(event);
    if (leaves(event)) {
      letGo();
      leave(surface);
    } else {
      line.key(event, true);
      if (isTap(event)) line.key(event, false);
    }
  });
  // A key that went down before the focus came, such as the one held to talk, comes up for the room.
  on("keyup", (event) => {
    if (hasFocus() && isTap(event)) line.key(event, true);
    if (line.key(event, false)) take(event);
  });
  on("pointerdown", (event) => {
    // On touch and pen the pointer is there from now; dragging goes on beyond the edge.
    if (hasFocus() && event.isPrimary) surface.setPointerCapture(event.pointerId);
    point(event);
  });
  on("pointermove", point);
  on("pointerup", point);
  on("pointercancel", ({ isPrimary }) => {
    if (isPrimary) letGo();
  });
  on("pointerleave", ({ buttons, isPrimary }) => {
    if (isPrimary && buttons === 0) letGo();
  });
  on("wheel", (event) => {
    if (!hasFocus()) return;
    take(event);
    line.turned(wheelPx(event));
  });
  // The focus comes with a click, not with the beginning of a drag that moves the picture.
  on("mousedown", (event) => {
    event.preventDefault();
  });
  on("click", (event) => {
    event.stopPropagation();
    surface.focus({ preventScroll: true });
  });
  for (const name of ["dblclick", "contextmenu", "auxclick", "mouseup", "dragstart"] as const) {
    on(name, (event) => {
      if (hasFocus()) take(event);
    });
  }
  on("blur", letGo);
  view.addEventListener("blur", letGo, { signal });
  page.addEventListener(
    "visibilitychange",
    () => {
      if (page.visibilityState === "hidden") letGo();
    },
    { signal },
  );
  return () => {
    stop.abort();
    letGo();
  };
}

/** Back to where the keyboard came from. */
function leave(surface: HTMLElement): void {
  surface.blur();
  surface.closest(".tile")?.querySelector<HTMLElement>('[data-testid="use-control"]')?.focus();
}
