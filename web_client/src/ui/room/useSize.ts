import { useEffect, useState, type RefObject } from "react";
import type { Size } from "./zoom";

/** Width and height of an element's content, kept up to date. */
export function useSize(element: RefObject<HTMLElement | null>): Size {
  const [size, setSize] = useState<Size>({ width: 1, height: 1 });
  useEffect(() => {
    const node = element.current;
    if (node === null) return undefined;
    const observer = new (node.ownerDocument.defaultView ?? window).ResizeObserver(([entry]) => {
      if (entry) setSize({ width: entry.contentRect.width, height: entry.contentRect.height });
    });
    observer.observe(node);
    return () => {
      observer.disconnect();
    };
  }, [element]);
  return size;
}

/** The size of 1 rem on a page, CSS px. */
export function remPx(page: Document): number {
  return Number.parseFloat(getComputedStyle(page.documentElement).fontSize) || 16;
}
