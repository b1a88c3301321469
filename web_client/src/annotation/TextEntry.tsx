import { useEffect, useRef } from "react";
import type { Point } from "../ui/room/zoom";
import { useDrawingWords } from "./context";

const LONGEST = 200;

interface Props {
  /** In px of the picture's box. */
  at: Point;
  /** An empty text: nothing is to be written. */
  onDone: (text: string) => void;
}

/** Where a text is typed, on the picture. */
export function TextEntry({ at, onDone }: Props) {
  const words = useDrawingWords();
  const field = useRef<HTMLInputElement>(null);
  const ended = useRef(false);
  useEffect(() => {
    field.current?.focus();
  }, []);
  const done = (text: string) => {
    if (ended.current) return;
    ended.current = true;
    onDone(text.trim());
  };
  return (
    <input
      ref={field}
      className="drawing-text"

      style={{ left: at.x, top: at.y }}
      aria-label={words.textLabel}
      placeholder={words.textHint}
      maxLength={LONGEST}
      onBlur={(event) => {
        done(event.currentTarget.value);
      }}
      onKeyDown={(event) => {
        // A word that is being chosen in an input method is not finished by Enter.
        if (event.nativeEvent.isComposing) return;
        if (event.key === "Enter") done(event.currentTarget.value);
        if (event.key === "Escape") done("");
        event.stopPropagation();
      }}
    />
  );
}
