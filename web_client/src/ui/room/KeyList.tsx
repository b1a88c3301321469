import { useDrawingWords } from "../../annotation/context";
import { useFreezeWords } from "../../annotation/freeze/context";
import { TOOL_KEYS } from "../../annotation/keys";
import { useText } from "../../i18n/useText";

/** All keys of the room. `host`: with those that only hosts have. */
export function KeyList({ host }: { host: boolean }) {
  const { text } = useText();
  const own = text.panels.keys;
  const drawing = useDrawingWords();
  const freeze = useFreezeWords();
  const keys: [string, string][] = [
    [text.keys.space, text.keys.talk],
    ["V", text.keys.camera],
    ["S", own.screen],
    ["1 – 9", text.keys.focus],
    ["W", text.keys.wall],
    ["F", freeze.key],
    ["K", text.control.key],
    ["⇧ F", text.keys.fullScreen],
    ["+ − 0", own.zoom],
    ["C", own.chat],
    ["G", own.people],
    ["O", text.panels.opinion.key],
    ["Q", own.question],
    ...TOOL_KEYS.map(([tool, key]): [string, string] => [key, drawing[tool === "hand" ? "close" : tool]]),
    ["D", drawing.fades],
    ["N", drawing.anchors],
    ["Z", drawing.undo],
    ["⇧ Z", drawing.redo],
    ["Del", drawing.clearMine],
    ...(host ? ([["⇧ P", own.pause]] satisfies [string, string][]) : []),
    ["Esc", own.escape],
    ["?", text.keys.help],
  ];
  return (
    <dl className="key-list">
      {keys.map(([key, does]) => (
        <div key={key}>
          <dt>
            <kbd>{key}</kbd>
          </dt>
          <dd>{does}</dd>
        </div>
      ))}
    </dl>
  );
}
