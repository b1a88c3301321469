import { useText } from "../../../i18n/useText";
import { CloseIcon, FileIcon } from "../panelIcons";
import { sizeWords } from "./sizeWords";
import type { ChosenFiles } from "./useChooseFiles";

/** Files that go with the next message, and a way to take each out again. */
export function ChosenList({ files: { chosen, remove } }: { files: ChosenFiles }) {
  const { text } = useText();
  if (chosen.length === 0) return null;
  return (
    <ul className="chosen" aria-label={text.panels.chat.chosen}>
      {chosen.map((file, index) => (
        <li key={`${index} ${file.name}`}>
          <FileIcon />
          <bdi className="file-name">{file.name}</bdi>
          <span className="muted">{sizeWords(file.size, text)}</span>
          <button
            type="button"
            className="quiet icon-only"
            aria-label={text.panels.chat.remove(file.name)}
            onClick={() => {
              remove(file);
            }}
          >
            <CloseIcon />
          </button>
        </li>
      ))}
    </ul>
  );
}
