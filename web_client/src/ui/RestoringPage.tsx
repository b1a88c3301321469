import type { Session } from "../api/session";
import { useText } from "../i18n/useText";
import { PageFrame } from "./PageFrame";
import { useTitle } from "./hooks";

/** While the session is taken up again; says so when the service does not answer. */
export function RestoringPage({ session, unreachable }: { session: Session; unreachable: boolean }) {
  const { text } = useText();
  useTitle(text.productName);
  return (
    <PageFrame width="narrow">
      {unreachable ? (
        <div className="message-page" data-testid="unreachable">
          <h1>{text.pages.unreachable.title}</h1>
          <p role="status">{text.signIn.restoreFailed}</p>
          <div className="ways">
            <button
              type="button"
              className="primary"
              onClick={() => {
                void session.restore();
              }}
            >
              {text.pages.unreachable.now}
            </button>
          </div>
        </div>
      ) : (
        <p role="status">{text.loading}</p>
      )}
    </PageFrame>
  );
}
