import { useId } from "react";
import { useText } from "../../i18n/useText";
import { Field } from "./Field";
import type { PartProps } from "./RequestForm";
import { LINE_MAX_CHARS, PROSE_MAX_CHARS } from "./values";

/** From so many characters on, the rest is counted. */
const COUNT_BELOW_CHARS = 200;

export function QuestionFields({ values, mistakes, set }: PartProps) {
  const { text } = useText();
  const words = text.pages.form;
  const listId = useId();
  const left = PROSE_MAX_CHARS - values.question.length;
  return (
    <fieldset className="form-part">
      <legend>{words.request}</legend>
      <Field
        name="specialty"
        label={words.specialty}
        hint={words.specialtyHint}
        optional
        mistake={mistakes.specialty}
      >
        {(input) => (
          <input
            {...input}
            data-testid="specialty"
            list={listId}
            autoComplete="off"
            maxLength={LINE_MAX_CHARS}
            value={values.specialty}
            onChange={(event) => {
              set({ specialty: event.currentTarget.value });
            }}
          />
        )}
      </Field>
      <datalist id={listId}>
        {words.specialties.map((specialty) => (
          <option key={specialty} value={specialty} />
        ))}
      </datalist>
      <Field
        name="question"
        label={words.question}
        hint={left < COUNT_BELOW_CHARS ? words.left(left) : words.questionHint}
        optional
        mistake={mistakes.question}
      >
        {(input) => (
          <textarea
            {...input}
            data-testid="question"
            rows={4}
            autoComplete="off"
            spellCheck={false}
            maxLength={PROSE_MAX_CHARS}
            value={values.question}
            onChange={(event) => {
              set({ question: event.currentTarget.value });
            }}
          />
        )}
      </Field>
    </fieldset>
  );
}
