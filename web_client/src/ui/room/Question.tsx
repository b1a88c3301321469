import { useRef } from "react";
import { useText } from "../../i18n/useText";

/** What the site wants to know: one click (or Q) shows it beside the pictures, another hides it. */
export function Question({ question, site }: { question: string; site: string }) {
  const { text } = useText();
  const { header } = text.panels;
  const element = useRef<HTMLDetailsElement>(null);
  return (
    // Escape is a second way: the summary opens and closes it with any keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <details
      ref={element}
      id="question"
      className="question"
      data-testid="question"
      onKeyDown={(event) => {
        if (event.key !== "Escape" || element.current?.open !== true) return;
        event.stopPropagation();
        element.current.open = false;
        element.current.querySelector("summary")?.focus();
      }}
    >
      <summary>{header.question}</summary>
      <div className="question-text" role="note" aria-label={header.questionTitle}>
        <p dir="auto">{question === "" ? header.noQuestion : question}</p>
        {site !== "" && <p className="muted">{header.site(site)}</p>}
      </div>
    </details>
  );
}

/** For the key: the same as a click on it; Escape then closes it. */
export function toggleQuestion(): void {
  const summary = document.querySelector<HTMLElement>("#question > summary");
  summary?.focus();
  summary?.click();
}
