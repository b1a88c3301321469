import { closeConsultation } from "../../api/calls";
import type { Session } from "../../api/session";
import { useText } from "../../i18n/useText";
import { Ask } from "./Ask";
import { problemWords } from "./problemWords";

interface Props {
  session: Session;
  consultationId: string;
  onClose: () => void;
}

/** Hosts: ends the consultation for everyone, after asking once. */
export function EndDialog({ session, consultationId, onClose }: Props) {
  const { text } = useText();
  const { end } = text.panels;
  const close = async () => {
    try {
      await closeConsultation(session, consultationId);
      return null;
    } catch (error) {
      return end.failed(problemWords(error, text));
    }
  };
  return <Ask question={end.ask} means={end.body} yes={end.yes} onYes={close} onClose={onClose} />;
}
