import { useState } from "react";
import { useText } from "../i18n/useText";
import { HEADS_WORDS } from "../i18n/words/heads";
import { headsFileName, keptHeadsText } from "../room/keptHeads";

/** What this browser was told of archives, as a file for `archive verify --witness`. `always`: also when there is none. */
export function SaveHeads({ always = false }: { always?: boolean }) {
  const { language } = useText();
  const words = HEADS_WORDS[language];
  const [text] = useState(() => keptHeadsText(() => window.localStorage));
  const count = text === "" ? 0 : text.trimEnd().split("\n").length;
  if (count === 0) return always ? <p className="muted">{words.none}</p> : null;
  return (
    <section className="save-heads" aria-label={words.title}>
      <button
        type="button"
        className="quiet"
        data-testid="save-heads"
        onClick={() => {
          download(text, headsFileName(new Date()));
        }}
      >
        {words.save(count)}
      </button>
      <p className="muted">{words.hint}</p>
    </section>
  );
}

function download(text: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
