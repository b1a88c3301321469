import type { ReactNode } from "react";
import type { Me } from "../api/session";
import { useText } from "../i18n/useText";
import { LanguageButton } from "./LanguageButton";

/** Frame of every page but the room: the product's name, who is signed in, language. */
export function PageFrame({
  me,
  onSignOut,
  children,
}: {
  me?: Me;
  onSignOut?: () => void;
  children: ReactNode;
}) {
  const { text } = useText();
  return (
    <div className="page">
      <header className="page-header">
        <span className="product">{text.productName}</span>
        {me && (
          <span className="who" data-testid="signed-in-as">
            {text.account.signedInAs(me.display_name || me.username, text.roles[me.role])}
          </span>
        )}
        <LanguageButton />
        {onSignOut && (
          <button type="button" className="quiet" data-testid="sign-out" onClick={onSignOut}>
            {text.account.signOut}
          </button>
        )}
      </header>
      <main className="page-body">{children}</main>
    </div>
  );
}
