import type { Point } from "./zoom";

export interface DragEvents {
  /** Over which tile a dragged one is now; null: over none. */
  over: (id: string, target: string | null) => void;
  /** Let go over a tile, or nowhere. */
  dropped: (id: string, target: string | null) => void;
}

interface Drag {
  pointerId: number;
  tile: HTMLElement;
  id: string;
  start: Point;
  dragging: boolean;
  target: string | null;
}

const SLOP_PX = 8;

/** The tile a press may take along: with the mouse any part of it but its buttons, with a finger only its handle. */
export function tileToDrag(target: Element, pointerType: string): HTMLElement | null {
  const tile = target.closest<HTMLElement>('.tile[data-movable="true"]');
  if (target.closest(".move-handle") !== null) return tile;
  const otherButton = target.closest("button:not(.cover)") !== null;
  return pointerType === "touch" || otherButton ? null : tile;
}

/** Dragging tiles within `stage`. Nothing but the dragged tile moves until it is dropped. Returns how to stop. */
export function watchDrag(stage: HTMLElement, events: DragEvents): () => void {
  const page = stage.ownerDocument;
  const controller = new AbortController();
  const { signal } = controller;
  let drag: Drag | null = null;

  const end = (drop: boolean) => {
    const ended = drag;
    drag = null;
    if (ended?.dragging !== true) return;
    delete ended.tile.dataset["dragging"];
    ended.tile.style.translate = "";
    if (stage.hasPointerCapture(ended.pointerId)) stage.releasePointerCapture(ended.pointerId);
    swallowClick(page);
    events.dropped(ended.id, drop ? ended.target : null);
  };
  const down = (event: PointerEvent) => {
    const tile =
      event.button === 0 && event.isPrimary ? tileToDrag(event.target as Element, event.pointerType) : null;
    const id = tile?.dataset["feed"];
    if (tile === null || id === undefined) return;
    const start = { x: event.clientX, y: event.clientY };
    drag = { pointerId: event.pointerId, tile, id, start, dragging: false, target: null };
  };
  const move = (event: PointerEvent) => {
    if (drag?.pointerId !== event.pointerId) return;
    const by = { x: event.clientX - drag.start.x, y: event.clientY - drag.start.y };
    if (!drag.dragging && Math.hypot(by.x, by.y) < SLOP_PX) return;
    if (!drag.dragging) {
      drag.dragging = true;
      drag.tile.dataset["dragging"] = "true";
      stage.setPointerCapture(event.pointerId);
    }
    drag.tile.style.translate = `${by.x}px ${by.y}px`;
    const target = tileUnder(page, event, drag.id);
    if (target !== drag.target) events.over(drag.id, target);
    drag.target = target;
  };
  const up = (event: PointerEvent) => {
    if (event.pointerId === drag?.pointerId) end(true);
  };
  const cancel = (event: PointerEvent) => {
    if (event.pointerId === drag?.pointerId) end(false);
  };
  const key = (event: KeyboardEvent) => {
    if (event.key === "Escape" && drag?.dragging === true) end(false);
  };
  stage.addEventListener("pointerdown", down, { signal });
  stage.addEventListener("pointermove", move, { signal });
  stage.addEventListener("pointerup", up, { signal });
  stage.addEventListener("pointercancel", cancel, { signal });
  page.addEventListener("keydown", key, { signal });
  return () => {
    end(false);
    controller.abort();
  };
}

function tileUnder(page: Document, { clientX, clientY }: PointerEvent, dragged: string): string | null {
  const under = page.elementFromPoint(clientX, clientY)?.closest<HTMLElement>(".tile[data-feed]");
  const id = under?.dataset["feed"] ?? null;
  return id === dragged ? null : id;
}

/** The click that ends a drag means nothing. */
function swallowClick(page: Document): void {
  const swallow = (event: Event) => {
    event.stopPropagation();
    event.preventDefault();
  };
  page.addEventListener("click", swallow, { capture: true, once: true });
  setTimeout(() => {
    page.removeEventListener("click", swallow, { capture: true });
  });
}
