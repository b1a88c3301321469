import type { Me } from "../api/session";
import { useText } from "../i18n/useText";
import { PageFrame } from "./PageFrame";
import { useTitle } from "./hooks";
import { hashOf } from "./route";

interface Props {
  me: Me;
  onSignOut: () => void;
  words: { title: string; body: string };
}

/** An address that leads nowhere, or to a page for other people. */
export function WrongPage({ me, onSignOut, words }: Props) {
  const { text } = useText();
  useTitle(`${words.title} · ${text.productName}`);
  return (
    <PageFrame me={me} onSignOut={onSignOut} width="narrow">
      <div className="message-page" data-testid="wrong-page">
        <h1>{words.title}</h1>
        <p>{words.body}</p>
        <div className="ways">
          <a className="button primary" href={hashOf({ page: "list" })}>
            {text.room.backToList}
          </a>
        </div>
      </div>
    </PageFrame>
  );
}
