import type { Baked } from "../baked";
import { useCourtroomText } from "../words";

/** What this page is, and why it is not to be believed by itself. */
export function PageFacts({ baked }: { baked: Baked }) {
  const words = useCourtroomText().page;
  const { signers, people, logs, witnesses } = baked;
  return (
    <details className="courtroom-panel courtroom-facts">
      <summary>{words.title}</summary>
      <p>{words.advice}</p>
      <p>
        {words.signer} <code>{baked.signer}</code>
      </p>
      <p>{words.trusted}</p>
      <ul>
        {[...signers, ...people, ...logs, ...witnesses].map((key) => (
          <li key={key}>
            <code>{key}</code>
          </li>
        ))}
      </ul>
    </details>
  );
}
