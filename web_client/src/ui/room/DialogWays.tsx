import { useText } from "../../i18n/useText";

interface Props {
  yes: string;
  disabled: boolean;
  onYes: () => void;
  onClose: () => void;
}

/** The two ways out of a question: back, which has the focus, and on. */
export function DialogWays({ yes, disabled, onYes, onClose }: Props) {
  const { text } = useText();
  return (
    <div className="dialog-ways">
      {/* The dialog was asked for by this person; the harmless answer waits under their finger. */}
      {/* eslint-disable-next-line jsx-a11y/no-autofocus */}
      <button type="button" autoFocus data-testid="cancel" onClick={onClose}>
        {text.panels.cancel}
      </button>
      <button type="button" className="danger" data-testid="confirm" disabled={disabled} onClick={onYes}>
        {yes}
      </button>
    </div>
  );
}
