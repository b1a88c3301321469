import type { ReactNode } from "react";

interface ButtonProps {
  testId?: string;
  words: string;
  pressed?: boolean;
  /** There is nothing for it to do now. */
  idle?: boolean;
  onPress: () => void;
  children: ReactNode;
}

export function ToolButton({ testId, words, pressed, idle = false, onPress, children }: ButtonProps) {
  return (
    <button
      type="button"
      className="drawing-tool"
      data-testid={testId}
      aria-label={words}
      title={words}
      aria-pressed={pressed}
      aria-disabled={idle}
      onClick={() => {
        if (!idle) onPress();
      }}
    >
      {children}
    </button>
  );
}
