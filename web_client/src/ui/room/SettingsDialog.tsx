import { useText } from "../../i18n/useText";
import type { RoomClient } from "../../room/client";
import { DeviceSettings } from "../devices/DeviceSettings";
import { LanguageSection } from "../settings/LanguageSection";
import { Dialog } from "./Dialog";
import { KeyList } from "./KeyList";

/** Devices, language and keys, without leaving the room; changes apply at once. */
export function SettingsDialog({
  client,
  host,
  onClose,
}: {
  client: RoomClient;
  host: boolean;
  onClose: () => void;
}) {
  const { text } = useText();
  const { settings } = text.panels;
  return (
    <Dialog title={settings.title} testId="settings-dialog" onClose={onClose}>
      <DeviceSettings own={client.own} />
      <section className="dialog-part">
        <h3>{settings.language}</h3>
        <LanguageSection />
      </section>
      <section className="dialog-part">
        <h3>{settings.keys}</h3>
        <KeyList host={host} />
      </section>
    </Dialog>
  );
}
