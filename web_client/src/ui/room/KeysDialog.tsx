import { useEffect, useRef } from "react";
import { useText } from "../../i18n/useText";

/** All keys, on demand. */
export function KeysDialog({ onClose }: { onClose: () => void }) {
  const { text } = useText();
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    element.current?.showModal();
  }, []);
  const keys: [string, string][] = [
    [text.keys.space, text.keys.talk],
    ["V", text.keys.camera],
    ["1 – 9", text.keys.focus],
    ["W", text.keys.wall],
    ["⇧ F", text.keys.fullScreen],
    ["?", text.keys.help],
  ];
  return (
    <dialog ref={element} className="keys" aria-labelledby="keys-title" onClose={onClose}>
      <h2 id="keys-title">{text.keys.title}</h2>
      <dl>
        {keys.map(([key, does]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={onClose}>
        {text.keys.close}
      </button>
    </dialog>
  );
}
