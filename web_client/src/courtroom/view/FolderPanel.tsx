import { useId } from "react";
import { useText } from "../../i18n/useText";
import { useCourtroomText } from "../words";
import type { FolderUse } from "./useFolder";

/** Which folder: chosen, dropped, or wrong and why. */
export function FolderPanel({ folder }: { folder: FolderUse }) {
  if (folder.phase === "chosen") return <ChosenBar folder={folder} />;
  return <ChoosePanel folder={folder} />;
}

function ChosenBar({ folder }: { folder: FolderUse }) {
  const words = useCourtroomText().folder;
  const { chosen } = folder;
  return (
    <div className="courtroom-chosen">
      <span>{words.chosen(chosen?.place.prefix.slice(0, -1) ?? folder.name)}</span>
      <button type="button" className="quiet" onClick={folder.reset} data-testid="folder-another">
        {words.another}
      </button>
    </div>
  );
}

function ChoosePanel({ folder }: { folder: FolderUse }) {
  const { language } = useText();
  const words = useCourtroomText().folder;
  return (
    <section className="courtroom-panel" data-testid="folder-panel">
      <h2>{words.title}</h2>
      <p>{words.body}</p>
      <Chooser folder={folder} />
      {folder.phase === "reading" && (
        <p role="status">{words.reading(folder.count.toLocaleString(language))}</p>
      )}
      <Several folder={folder} />
      <Problem folder={folder} />
    </section>
  );
}

/** The browser's own dialogue where it asks well; the field that all browsers have elsewhere. */
function Chooser({ folder }: { folder: FolderUse }) {
  const words = useCourtroomText().folder;
  const id = useId();
  return (
    <>
      {folder.canPick && (
        <button type="button" className="primary" onClick={folder.pick}>
          {words.choose}
        </button>
      )}
      <div hidden={folder.canPick && folder.problem !== "unreadable"}>
        <label htmlFor={id}>{words.input}</label>
        <input
          id={id}
          type="file"
          ref={(field) => {
            if (field !== null) field.webkitdirectory = true;
          }}
          data-testid="folder-input"
          onChange={(event) => {
            const { files } = event.currentTarget;
            if (files !== null && files.length > 0) folder.takeInput(files);
          }}
        />
        <p className="muted">{words.upload}</p>
      </div>
    </>
  );
}

function Several({ folder }: { folder: FolderUse }) {
  const words = useCourtroomText().folder;
  if (folder.phase !== "several") return null;
  return (
    <>
      <p>{words.several}</p>
      <ul className="courtroom-places" data-testid="folder-places">
        {folder.places.map((place) => (
          <li key={place.prefix}>
            <button
              type="button"
              onClick={() => {
                folder.choose(place);
              }}
            >
              {place.name}
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

function Problem({ folder }: { folder: FolderUse }) {
  const { language } = useText();
  const words = useCourtroomText().folder;
  const { problem, name, count } = folder;
  const text =
    problem === "wrong" ? words.wrong(name, count.toLocaleString(language)) : problem && words[problem];
  return (
    <p className="problem" role="alert" data-testid="folder-problem" data-problem={problem ?? ""}>
      {text ?? ""}
    </p>
  );
}
