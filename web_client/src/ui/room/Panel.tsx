import { useId, type DragEvent, type ReactNode } from "react";
import { useText } from "../../i18n/useText";
import { CloseIcon } from "./panelIcons";

interface Props {
  title: string;
  testId: string;
  onClose: () => void;
  children: ReactNode;
  onDragOver?: (event: DragEvent) => void;
  onDragLeave?: () => void;
  onDrop?: (event: DragEvent) => void;
}

/** Stands beside the pictures; on a narrow screen over the lower half of them. Escape closes it. */
export function Panel({ title, testId, onClose, children, ...drag }: Props) {
  const { text } = useText();
  const heading = useId();
  return (
    // Dropping files is a shortcut: the button for files does the same with any keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <section
      className="panel"
      aria-labelledby={heading}
      data-testid={testId}
      data-own-keys
      onKeyDown={(event) => {
        if (event.key !== "Escape" || event.defaultPrevented) return;
        event.stopPropagation();
        onClose();
      }}
      {...drag}
    >
      <div className="panel-title">
        <h2 id={heading}>{title}</h2>
        <button
          type="button"
          className="quiet icon-only"
          aria-label={`${text.panels.close}: ${title}`}
          onClick={onClose}
        >
          <CloseIcon />
        </button>
      </div>
      {children}
    </section>
  );
}
