import { useEffect } from "react";
import { PageFrame } from "../../ui/PageFrame";
import { useTitle } from "../../ui/hooks";
import type { Baked } from "../baked";
import { useCourtroomText } from "../words";
import { Consultation } from "./Consultation";
import { FolderPanel } from "./FolderPanel";
import { PageFacts } from "./PageFacts";
import { useFolder } from "./useFolder";

interface Props {
  baked: Baked;
  makeWorker: () => Worker;
}

/** The whole page: choose the archive's folder, see whether it is genuine, give the key, look. */
export function CourtroomApp({ baked, makeWorker }: Props) {
  const words = useCourtroomText();
  const folder = useFolder();
  useTitle(words.title);
  useDropped(folder.take);
  const { chosen } = folder;
  return (
    <PageFrame width="full">
      <div className="courtroom">
        <header className="courtroom-head">
          <h1>{words.title}</h1>
          <p className="muted">{words.intro}</p>
        </header>
        {!window.isSecureContext && <Problem text={words.insecure} />}
        {typeof MediaSource === "undefined" && <Problem text={words.noMedia} />}
        <FolderPanel folder={folder} />
        {chosen !== null && (
          <Consultation
            key={`${chosen.turn} ${chosen.place.prefix}`}
            chosen={chosen}
            baked={baked}
            makeWorker={makeWorker}
          />
        )}
        <PageFacts baked={baked} />
      </div>
    </PageFrame>
  );
}

function Problem({ text }: { text: string }) {
  return (
    <p className="hint-box" data-kind="problem" role="alert">
      {text}
    </p>
  );
}

/** A folder may be dropped anywhere; nothing that is dropped may take the page away. */
function useDropped(take: (data: DataTransfer) => void): void {
  useEffect(() => {
    const over = (event: DragEvent) => {
      event.preventDefault();
    };
    const drop = (event: DragEvent) => {
      event.preventDefault();
      if (event.dataTransfer !== null) take(event.dataTransfer);
    };
    window.addEventListener("dragover", over);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragover", over);
      window.removeEventListener("drop", drop);
    };
  }, [take]);
}
