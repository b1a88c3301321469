import { useRef, type ReactNode } from "react";
import type { Me } from "../api/session";
import { useText } from "../i18n/useText";
import { LanguageButton } from "./LanguageButton";
import { SettingsIcon } from "./pageIcons";
import { hashOf } from "./route";

interface Props {
  /** Who is signed in: shows the way to the other pages and out. */
  me?: Me;
  onSignOut?: () => void;
  /** Narrow pages hold one thing to read or fill in; a list may be wider still on a wall; the replay takes all. */
  width?: "narrow" | "wide" | "list" | "full";
  children: ReactNode;
}

/** Frame of every page but the room: the product's name, where else to go, who is signed in, language. */
export function PageFrame({ me, onSignOut, width = "wide", children }: Props) {
  const main = useRef<HTMLElement>(null);
  const { text } = useText();
  return (
    <div className="page">
      <button
        type="button"
        className="skip-link"
        onClick={() => {
          main.current?.focus();
        }}
      >
        {text.pages.skip}
      </button>
      <header className="page-header">
        {me ? (
          <a className="product" href={hashOf({ page: "list" })}>
            {text.productName}
          </a>
        ) : (
          <span className="product">{text.productName}</span>
        )}
        {me && onSignOut && <Account me={me} onSignOut={onSignOut} />}
        <LanguageButton />
      </header>
      <main className="page-body" data-width={width} ref={main} tabIndex={-1}>
        {children}
      </main>
    </div>
  );
}

function Account({ me, onSignOut }: { me: Me; onSignOut: () => void }) {
  const { text } = useText();
  return (
    <>
      <span className="who">
        {text.account.signedInAs(me.display_name || me.username, text.roles[me.role])}
      </span>
      <nav aria-label={text.pages.navigation}>
        <a className="button quiet" href={hashOf({ page: "settings" })} data-testid="open-settings">
          <SettingsIcon />
          <span>{text.pages.settings.title}</span>
        </a>
      </nav>
      <button type="button" className="quiet" data-testid="sign-out" onClick={onSignOut}>
        {text.account.signOut}
      </button>
    </>
  );
}
