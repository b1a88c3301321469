import { useText } from "../../i18n/useText";
import { Field } from "./Field";
import type { PartProps } from "./RequestForm";
import { headerOf, LINE_MAX_CHARS, SEXES } from "./values";

/** Who it is about, and what of it others will see. */
export function PatientFields({ values, mistakes, set }: PartProps) {
  const { text } = useText();
  const words = text.pages.form;
  return (
    <fieldset className="form-part">
      <legend>{words.patient}</legend>
      <div className="field-row">
        <Field name="name" label={words.name} hint={words.nameHint} mistake={mistakes.name}>
          {(input) => (
            // Not called "name", and not spell-checked: browsers remember the one and send the other to a service.
            <input
              {...input}
              name="who"
              data-testid="patient-name"
              autoComplete="off"
              spellCheck={false}
              autoCapitalize="words"
              maxLength={LINE_MAX_CHARS}
              value={values.name}
              onChange={(event) => {
                set({ name: event.currentTarget.value });
              }}
            />
          )}
        </Field>
        <Field name="examNumber" label={words.examNumber} mistake={mistakes.examNumber}>
          {(input) => (
            <input
              {...input}
              data-testid="exam-number"
              autoComplete="off"
              spellCheck={false}
              maxLength={LINE_MAX_CHARS}
              value={values.examNumber}
              onChange={(event) => {
                set({ examNumber: event.currentTarget.value });
              }}
            />
          )}
        </Field>
      </div>
      <div className="field-row">
        <Field name="sex" label={words.sex} mistake={mistakes.sex}>
          {(input) => (
            <select
              {...input}
              data-testid="patient-sex"
              value={values.sex}
              onChange={(event) => {
                const { value } = event.currentTarget;
                set({ sex: SEXES.find((sex) => sex === value) ?? "" });
              }}
            >
              <option value="" disabled>
                {words.chooseSex}
              </option>
              {SEXES.map((sex) => (
                <option key={sex} value={sex}>
                  {words.sexes[sex]}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field name="age" label={words.age} hint={words.ageHint} mistake={mistakes.age}>
          {(input) => (
            <input
              {...input}
              data-testid="patient-age"
              inputMode="numeric"
              autoComplete="off"
              maxLength={3}
              value={values.age}
              onChange={(event) => {
                set({ age: event.currentTarget.value });
              }}
            />
          )}
        </Field>
      </div>
      <div className="header-preview">
        <p className="muted" id="header-title">
          {words.headerTitle}
        </p>
        <output data-testid="masked-header" aria-labelledby="header-title">
          {headerOf(values)}
        </output>
      </div>
    </fieldset>
  );
}
