import { useState, type KeyboardEvent } from "react";
import { useText } from "../i18n/useText";

interface Props {
  id: string;
  autoComplete: "current-password" | "new-password";
  invalid?: boolean;
  describedBy?: string | undefined;
  onKey?: (event: KeyboardEvent) => void;
}

/** A password that can be shown, for those who type it with gloves or on a telephone. */
export function PasswordField({ id, autoComplete, invalid = false, describedBy, onKey }: Props) {
  const { text } = useText();
  const [shown, setShown] = useState(false);
  return (
    <span className="password-field">
      <input
        id={id}
        name={id}
        data-testid={id}
        type={shown ? "text" : "password"}
        autoComplete={autoComplete}
        autoCapitalize="none"
        spellCheck={false}
        aria-invalid={invalid}
        aria-describedby={describedBy}
        onKeyDown={onKey}
        onKeyUp={onKey}
      />
      <button
        type="button"
        className="quiet"
        aria-label={shown ? text.pages.signIn.hidePasswordLong : text.pages.signIn.showPasswordLong}
        onClick={() => {
          setShown(!shown);
        }}
      >
        {shown ? text.pages.signIn.hidePassword : text.pages.signIn.showPassword}
      </button>
    </span>
  );
}
