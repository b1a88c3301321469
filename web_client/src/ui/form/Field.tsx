import { useId, type ReactNode } from "react";
import { useText } from "../../i18n/useText";
import type { Field as FieldName, Mistake } from "./values";

export interface InputProps {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": boolean;
  "aria-required": boolean;
}

interface Props {
  name: FieldName;
  label: string;
  hint?: string;
  optional?: boolean;
  mistake: Mistake | undefined;
  children: (input: InputProps) => ReactNode;
}

/** A labelled entry, its hint, and beside it what is wrong with it. */
export function Field({ name, label, hint, optional = false, mistake, children }: Props) {
  const { text } = useText();
  const id = useId();
  const describedBy = [hint !== undefined && `${id}-hint`, mistake && `${id}-mistake`].filter(Boolean);
  return (
    <div className="field" data-field={name} data-invalid={mistake !== undefined}>
      <label htmlFor={id}>
        {label} {optional && <span className="muted optional">({text.pages.form.optional})</span>}
      </label>
      {children({
        id,
        "aria-describedby": describedBy.join(" ") || undefined,
        "aria-invalid": mistake !== undefined,
        "aria-required": !optional,
      })}
      {hint !== undefined && (
        <p id={`${id}-hint`} className="field-hint">
          {hint}
        </p>
      )}
      <Problem id={`${id}-mistake`} name={name} mistake={mistake} />
    </div>
  );
}

export function Problem({
  id,
  name,
  mistake,
}: {
  id: string;
  name: FieldName;
  mistake: Mistake | undefined;
}) {
  const { text } = useText();
  if (mistake === undefined) return null;
  const words = text.pages.form.mistakes;
  const own: Partial<Record<Mistake, string>> = name in words ? words[name as "name"] : {};
  const said = own[mistake] ?? (mistake === "gone" ? words.gone : words.refused);
  return (
    <p id={id} className="problem field-problem" data-testid={`problem-${name}`}>
      {said}
    </p>
  );
}
