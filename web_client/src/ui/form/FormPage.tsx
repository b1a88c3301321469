import type { Me, Session } from "../../api/session";
import { useText } from "../../i18n/useText";
import { PageFrame } from "../PageFrame";
import { useTitle } from "../hooks";
import { BackIcon } from "../pageIcons";
import { hashOf, replaceWith } from "../route";
import { RequestForm } from "./RequestForm";

interface Props {
  session: Session;
  me: Me;
  onSignOut: () => void;
}

/** 会诊申请单: opens a consultation and leads to its room. */
export function FormPage({ session, me, onSignOut }: Props) {
  const { text } = useText();
  useTitle(`${text.pages.form.title} · ${text.productName}`);
  const opened = (room: string) => {
    replaceWith({ page: "room", room });
  };
  return (
    <PageFrame me={me} onSignOut={onSignOut} width="narrow">
      <a className="back-link" href={hashOf({ page: "list" })}>
        <BackIcon />
        <span>{text.room.backToList}</span>
      </a>
      <h1>{text.pages.form.title}</h1>
      <RequestForm session={session} me={me} onOpened={opened} />
    </PageFrame>
  );
}
