import { useId, type ReactNode } from "react";
import type { Me, Session } from "../../api/session";
import { useText } from "../../i18n/useText";
import { PageFrame } from "../PageFrame";
import { DeviceSettings } from "../devices/DeviceSettings";
import { useTitle } from "../hooks";
import { BackIcon } from "../pageIcons";
import { hashOf } from "../route";
import { ElsewhereSection } from "./ElsewhereSection";
import { LanguageSection } from "./LanguageSection";
import { PasswordSection } from "./PasswordSection";

interface Props {
  session: Session;
  me: Me;
  onSignOut: () => void;
}

export function SettingsPage({ session, me, onSignOut }: Props) {
  const { text } = useText();
  const words = text.pages.settings;
  useTitle(`${words.title} · ${text.productName}`);
  return (
    <PageFrame me={me} onSignOut={onSignOut} width="narrow">
      <a className="back-link" href={hashOf({ page: "list" })}>
        <BackIcon />
        <span>{text.room.backToList}</span>
      </a>
      <h1>{words.title}</h1>
      <Section title={words.you}>
        <dl className="facts-list">
          <Fact name={words.name} value={me.display_name || me.username} />
          <Fact name={text.signIn.username} value={me.username} />
          <Fact name={words.role} value={text.roles[me.role]} />
          {me.organisation && <Fact name={words.organisation} value={me.organisation} />}
        </dl>
      </Section>
      <Section title={words.language}>
        <LanguageSection />
      </Section>
      {(me.role === "specialist" || me.role === "site") && (
        <Section title={words.devices}>
          <DeviceSettings own={null} />
        </Section>
      )}
      <Section title={words.password}>
        <PasswordSection session={session} username={me.username} />
      </Section>
      <Section title={words.sessions}>
        <ElsewhereSection session={session} />
      </Section>
    </PageFrame>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  const id = useId();
  return (
    <section className="settings-section" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {children}
    </section>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
