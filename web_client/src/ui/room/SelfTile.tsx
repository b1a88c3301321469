import { useEffect, useRef } from "react";
import { useText } from "../../i18n/useText";

/** Own camera, mirrored, as one knows oneself. */
export function SelfTile({ stream }: { stream: MediaStream }) {
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
      data-status="live"
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
