import type { Me } from "../api/session";
import { useText } from "../i18n/useText";
import { PageFrame } from "./PageFrame";
import { useTitle } from "./hooks";

const COMMANDS: Partial<Record<Me["role"], readonly string[]>> = {
  auditor: ["teleconsult archive verify PATH", "teleconsult archive export PATH --identity KEY_FILE"],
  admin: ["teleconsult serve --help"],
};

/** For people who have no business in live rooms: what they can do today, said plainly. */
export function NoRoomsPage({ me, onSignOut }: { me: Me; onSignOut: () => void }) {
  const { text } = useText();
  const role = me.role === "auditor" || me.role === "admin" ? me.role : "other";
  const words = text.noRoomsHere[role];
  const commands = COMMANDS[me.role] ?? [];
  useTitle(`${words.title} · ${text.productName}`);
  return (
    <PageFrame me={me} onSignOut={onSignOut}>
      <h1>{words.title}</h1>
      <p>{words.body}</p>
      <p>{words.today}</p>
      {commands.map((command) => (
        <pre key={command}>
          <code>{command}</code>
        </pre>
      ))}
    </PageFrame>
  );
}
