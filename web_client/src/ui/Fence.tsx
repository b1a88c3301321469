import { Component, type ReactNode } from "react";
import { brokenEn, brokenZh } from "../i18n/words/broken";
import { useText } from "../i18n/useText";

/**
 * Around everything: a mistake of ours shows a page that says so and how to go on, never a blank one. What was on
 * screen is unmounted, so that devices and connections are let go.
 */
export class Fence extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError(): { broken: boolean } {
    return { broken: true };
  }

  override render(): ReactNode {
    return this.state.broken ? <Broken /> : this.props.children;
  }
}

function Broken() {
  const { language } = useText();
  const words = language === "en" ? brokenEn : brokenZh;
  return (
    <main className="ended" data-testid="broken">
      <h1>{words.title}</h1>
      <p role="alert">{words.body}</p>
      <div className="ways">
        <button
          type="button"
          className="primary"
          onClick={() => {
            window.location.reload();
          }}
        >
          {words.reload}
        </button>
      </div>
    </main>
  );
}
