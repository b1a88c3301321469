import type { Session, SignedOutWhy, Visit } from "../api/session";
import { useText } from "../i18n/useText";
import { PageFrame } from "./PageFrame";
import { useTitle } from "./hooks";
import { hashOf } from "./route";

interface Props {
  session: Session;
  visit: Visit;
  /** The guest may come back; else why not. */
  over: false | SignedOutWhy;
}

/** Where a guest is when not in the room. There is no list to go back to. */
export function GoodbyePage({ session, visit, over }: Props) {
  const { text } = useText();
  const words = text.pages.goodbye;
  const title = over === false ? words.left : over === "left" ? words.finished : words.over;
  useTitle(`${title} · ${text.productName}`);
  return (
    <PageFrame width="narrow">
      <div className="message-page" data-testid="goodbye">
        <h1>{title}</h1>
        {over === false && <p>{words.leftHint}</p>}
        {over === "left" && <p>{words.finishedHint}</p>}
        {over !== false && over !== "left" && <p>{words.overHint(visit.site || words.theSite)}</p>}
        <div className="ways">
          {over === false ? (
            <>
              <a
                className="button primary"
                href={hashOf({ page: "room", room: visit.room })}
                data-testid="return"
              >
                {words.goBack}
              </a>
              <button
                type="button"
                data-testid="finish"
                onClick={() => {
                  session.signOut();
                }}
              >
                {words.finish}
              </button>
            </>
          ) : (
            <button
              type="button"
              className="quiet"
              onClick={() => {
                session.forgetVisit();
              }}
            >
              {words.signIn}
            </button>
          )}
        </div>
      </div>
    </PageFrame>
  );
}
