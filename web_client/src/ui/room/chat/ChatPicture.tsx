import { useEffect, useRef, useState, useSyncExternalStore, type RefObject } from "react";
import { useText } from "../../../i18n/useText";
import type { FileInfo } from "../../../protocol/messages";
import type { RoomClient } from "../../../room/client";
import { Dialog } from "../Dialog";
import { ChatFile } from "./ChatFile";

interface Props {
  client: RoomClient;
  file: FileInfo;
}

type Loaded = { phase: "loading" } | { phase: "failed" } | { phase: "ready"; url: string };

/** A small view of a picture, loaded once it comes into sight; a click shows it large. Its box never changes size. */
export function ChatPicture({ client, file }: Props) {
  const { text } = useText();
  const box = useRef<HTMLDivElement>(null);
  const seen = useSeen(box);
  const [attempt, setAttempt] = useState(0);
  const picture = usePicture(client, file, seen, attempt);
  const joined = useJoined(client);
  const [wasJoined, setWasJoined] = useState(joined);
  if (joined !== wasJoined) {
    setWasJoined(joined);
    // What the lost connection cost is fetched without being asked.
    if (joined && picture.phase === "failed") setAttempt(attempt + 1);
  }
  const [large, setLarge] = useState(false);
  return (
    <div className="chat-picture" ref={box}>
      {picture.phase === "ready" ? (
        <button
          type="button"
          className="thumbnail"
          data-testid="chat-picture"
          aria-label={text.panels.chat.enlarge(file.name)}
          onClick={() => {
            setLarge(true);
          }}
        >
          <img src={picture.url} alt="" decoding="async" />
        </button>
      ) : (
        <button
          type="button"
          className="thumbnail"
          disabled={picture.phase === "loading"}
          onClick={() => {
            setAttempt(attempt + 1);
          }}
        >
          {picture.phase === "loading" ? text.panels.chat.pictureLoading : text.panels.chat.pictureFailed}
        </button>
      )}
      {large && picture.phase === "ready" && (
        <Dialog
          title={file.name}
          wide
          onClose={() => {
            setLarge(false);
          }}
        >
          <img className="picture-large" src={picture.url} alt={file.name} />
          <ChatFile client={client} file={file} />
        </Dialog>
      )}
    </div>
  );
}

function useJoined({ store }: RoomClient): boolean {
  return useSyncExternalStore(store.subscribe, () => store.get().link === "joined");
}

function useSeen(element: RefObject<HTMLElement | null>): boolean {
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    if (element.current === null) return undefined;
    const observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) setSeen(true);
    });
    observer.observe(element.current);
    return () => {
      observer.disconnect();
    };
  }, [element]);
  return seen;
}

function usePicture(client: RoomClient, file: FileInfo, wanted: boolean, attempt: number): Loaded {
  const [loaded, setLoaded] = useState<{ attempt: number; result: Loaded } | null>(null);
  useEffect(() => {
    if (!wanted) return undefined;
    let gone = false;
    const finish = (result: Loaded) => {
      if (!gone) setLoaded({ attempt, result });
    };
    client.pictures.take(file).then(
      (url) => {
        finish({ phase: "ready", url });
      },
      () => {
        finish({ phase: "failed" });
      },
    );
    return () => {
      gone = true;
      client.pictures.release(file);
    };
  }, [client, file, wanted, attempt]);
  return loaded?.attempt === attempt ? loaded.result : { phase: "loading" };
}
