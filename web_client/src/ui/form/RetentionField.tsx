import type { RetentionChoices } from "../../api/types";
import { useText } from "../../i18n/useText";
import { Field } from "./Field";
import type { PartProps } from "./RequestForm";

/** How long the archive is kept: one of the classes two people of the site defined. Without any there is no choice. */
export function RetentionField({
  values,
  mistakes,
  set,
  retention,
}: PartProps & { retention: RetentionChoices | null }) {
  const { text } = useText();
  const words = text.pages.form;
  if (retention === null || retention.classes.length === 0) return null;
  const usual = retention.classes.find(({ name }) => name === retention.usual);
  const others = retention.classes.filter((one) => one !== usual);
  return (
    <Field
      name="retentionClass"
      label={words.retention}
      hint={words.retentionHint}
      mistake={mistakes.retentionClass}
    >
      {(input) => (
        <select
          {...input}
          data-testid="retention-class"
          value={values.retentionClass}
          onChange={(event) => {
            set({ retentionClass: event.currentTarget.value });
          }}
        >
          <option value="">
            {words.retentionUsual(
              retention.usual,
              usual ? text.time.kept(usual.days) : words.retentionUndecided,
            )}
          </option>
          {others.map(({ name, days }) => (
            <option key={name} value={name}>
              {words.retentionClass(name, text.time.kept(days))}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
