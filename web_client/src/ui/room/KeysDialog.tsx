import { useText } from "../../i18n/useText";
import { Dialog } from "./Dialog";
import { KeyList } from "./KeyList";

/** All keys, on demand. */
export function KeysDialog({ host, onClose }: { host: boolean; onClose: () => void }) {
  const { text } = useText();
  return (
    <Dialog title={text.keys.title} testId="keys-dialog" onClose={onClose}>
      <KeyList host={host} />
    </Dialog>
  );
}
