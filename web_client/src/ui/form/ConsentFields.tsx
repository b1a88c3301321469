import { useId } from "react";
import type { RetentionChoices } from "../../api/types";
import { useText } from "../../i18n/useText";
import { Field, Problem } from "./Field";
import type { PartProps } from "./RequestForm";
import { RetentionField } from "./RetentionField";
import { isRecorded, SENTENCE_MAX_CHARS } from "./values";

interface TickProps {
  testId: string;
  label: string;
  hint?: string;
  checked: boolean;
  disabled?: boolean;
  invalid?: boolean;
  describedBy?: string | undefined;
  onTick: (checked: boolean) => void;
}

/** What the patient agreed to; recorded, or why not. */
export function ConsentFields({
  values,
  mistakes,
  set,
  retention,
}: PartProps & { retention: RetentionChoices | null }) {
  const { text } = useText();
  const words = text.pages.form;
  const id = useId();
  const mistake = mistakes.consentConsult;
  return (
    <fieldset className="form-part">
      <legend>{words.consent}</legend>
      <div className="ticks">
        <div data-field="consentConsult" data-invalid={mistake !== undefined}>
          <Tick
            testId="consent-consult"
            label={words.consentConsult}
            hint={words.consentConsultHint}
            checked={values.consentConsult}
            invalid={mistake !== undefined}
            describedBy={mistake && `${id}-mistake`}
            onTick={(consentConsult) => {
              set({ consentConsult });
            }}
          />
          <Problem id={`${id}-mistake`} name="consentConsult" mistake={mistake} />
        </div>
        <Tick
          testId="consent-record"
          label={words.consentRecord}
          checked={values.consentRecord}
          onTick={(consentRecord) => {
            // Who agrees is recorded, unless somebody decides otherwise and says why.
            set({ consentRecord, record: consentRecord });
          }}
        />
        <Tick
          testId="record"
          label={words.record}
          hint={words.recordHint}
          checked={isRecorded(values)}
          disabled={!values.consentRecord}
          onTick={(record) => {
            set({ record });
          }}
        />
      </div>
      {isRecorded(values) ? (
        <RetentionField values={values} mistakes={mistakes} set={set} retention={retention} />
      ) : (
        <Reason values={values} mistakes={mistakes} set={set} />
      )}
    </fieldset>
  );
}

function Reason({ values, mistakes, set }: PartProps) {
  const { text } = useText();
  const words = text.pages.form;
  const listId = useId();
  return (
    <>
      <Field name="recordReason" label={words.recordReason} mistake={mistakes.recordReason}>
        {(input) => (
          <input
            {...input}
            data-testid="record-reason"
            list={listId}
            autoComplete="off"
            maxLength={SENTENCE_MAX_CHARS}
            value={values.recordReason}
            onChange={(event) => {
              set({ recordReason: event.currentTarget.value });
            }}
          />
        )}
      </Field>
      <datalist id={listId}>
        {words.reasons.map((reason) => (
          <option key={reason} value={reason} />
        ))}
      </datalist>
    </>
  );
}

function Tick({ testId, label, hint, checked, disabled, invalid, describedBy, onTick }: TickProps) {
  const id = useId();
  const describing = [hint !== undefined && `${id}-hint`, describedBy].filter(Boolean).join(" ");
  return (
    <div className="tick">
      <label className="option" data-disabled={disabled}>
        <input
          type="checkbox"
          data-testid={testId}
          checked={checked}
          disabled={disabled}
          aria-invalid={invalid}
          aria-describedby={describing || undefined}
          onChange={(event) => {
            onTick(event.currentTarget.checked);
          }}
        />
        <span>{label}</span>
      </label>
      {hint !== undefined && (
        <p id={`${id}-hint`} className="field-hint">
          {hint}
        </p>
      )}
    </div>
  );
}
