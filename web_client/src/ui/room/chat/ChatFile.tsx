import { useState } from "react";
import { useText } from "../../../i18n/useText";
import type { FileInfo } from "../../../protocol/messages";
import type { RoomClient } from "../../../room/client";
import { FileIcon } from "../panelIcons";
import { saveBlob } from "./saveFile";
import { sizeWords } from "./sizeWords";

/** A file that is not a picture is never opened here: it can be saved. */
export function ChatFile({ client, file }: { client: RoomClient; file: FileInfo }) {
  const { text } = useText();
  const [phase, setPhase] = useState<"idle" | "loading" | "failed">("idle");
  const save = async () => {
    setPhase("loading");
    try {
      saveBlob(await client.files.read(file), file.name);
      setPhase("idle");
    } catch {
      setPhase("failed");
    }
  };
  return (
    <>
      <button
        type="button"
        className="chat-file"
        data-testid="chat-save"
        disabled={phase === "loading"}
        onClick={() => void save()}
      >
        <FileIcon />
        <span className="only-heard">{text.panels.chat.save}</span>
        <bdi className="file-name">{file.name}</bdi>
        <span className="muted">
          {phase === "loading" ? text.panels.chat.saving : sizeWords(file.size_bytes, text)}
        </span>
      </button>
      {phase === "failed" && (
        <p className="problem" role="alert">
          {text.panels.chat.saveFailed}
        </p>
      )}
    </>
  );
}
