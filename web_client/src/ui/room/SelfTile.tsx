import { useEffect, useRef, type CSSProperties } from "react";
import { useText } from "../../i18n/useText";

interface Props {
  stream: MediaStream;
  /** Grid places beside the picture in focus. */
  row?: number;
  column?: number;
}

/** Own camera, mirrored, as one knows oneself. */
export function SelfTile({ stream, row, column }: Props) {
  const { text } = useText();
  const element = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (element.current !== null) element.current.srcObject = stream;
  }, [stream]);
  return (
    <section
      className="tile"
      data-testid="feed-self"
      data-kind="self"
      data-focused="false"
      data-small="true"
      data-status="live"
      style={{ "--row": row, "--column": column } as CSSProperties}
      aria-label={text.feed.selfHint}
    >
      <div className="picture">
        <video ref={element} className="mirrored" autoPlay playsInline muted disablePictureInPicture />
      </div>
      <div className="caption">
        <span className="feed-name">{text.feed.self}</span>
      </div>
    </section>
  );
}
