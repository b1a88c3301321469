import { useId, useLayoutEffect, useRef, type ReactNode } from "react";
import { useText } from "../../i18n/useText";
import { CloseIcon } from "./panelIcons";

interface Props {
  title: string;
  onClose: () => void;
  children: ReactNode;
  testId?: string;
  wide?: boolean;
  /** A question has its own buttons; everything else can be closed at the top. */
  closable?: boolean;
}

/** A native modal dialog: the browser keeps the focus in it, and gives it back. Escape closes it. */
export function Dialog({ title, onClose, children, testId, wide = false, closable = true }: Props) {
  const { text } = useText();
  const element = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useLayoutEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => {
      dialog?.close();
    };
  }, []);
  return (
    <dialog
      ref={element}
      className={wide ? "dialog wide" : "dialog"}
      aria-labelledby={heading}
      data-testid={testId}
      onClose={(event) => {
        // A dialog inside closes, too, and says so.
        if (event.target === element.current) onClose();
      }}
    >
      <div className="dialog-title">
        <h2 id={heading}>{title}</h2>
        {closable && (
          <button
            type="button"
            className="quiet icon-only"
            aria-label={text.panels.close}

            onClick={onClose}
          >
            <CloseIcon />
          </button>
        )}
      </div>
      {children}
    </dialog>
  );
}
