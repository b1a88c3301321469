import { useEffect, useRef } from "react";
import { useText } from "../../i18n/useText";
import type { DeviceState } from "../../room/state";
import { CameraIcon } from "../icons";

/** The person's own camera, as in a mirror. */
export function Picture({ camera }: { camera: DeviceState }) {
  const { text } = useText();
  const element = useRef<HTMLVideoElement>(null);
  const stream = camera.phase === "on" ? camera.stream : null;
  useEffect(() => {
    if (element.current !== null) element.current.srcObject = stream;
  }, [stream]);
  return (
    <div className="own-picture" data-on={stream !== null}>
      {stream === null ? (
        <p className="muted">
          <CameraIcon off />
          <span>{camera.phase === "asking" ? text.audio.asking.camera : text.audio.prejoin.pictureOff}</span>
        </p>
      ) : (
        <video ref={element} aria-label={text.audio.prejoin.picture} autoPlay muted playsInline />
      )}
    </div>
  );
}
