import { useId, type ReactNode } from "react";

interface Option<Value extends string> {
  value: Value;
  label: string;
}

interface Props<Value extends string> {
  label: string;
  value: Value;
  options: readonly Option<Value>[];
  testId?: string;
  hint?: string;
  onChange: (value: Value) => void;
  children?: ReactNode;
}

/** One labelled choice with, perhaps, a line of explanation that is read out with it. */
export function Choice<Value extends string>(props: Props<Value>) {
  const { label, value, options, testId, hint, onChange, children } = props;
  const id = useId();
  return (
    <div className="choice">
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        data-testid={testId}
        value={value}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        onChange={(event) => {
          const chosen = options.find((option) => option.value === event.target.value);
          if (chosen) onChange(chosen.value);
        }}
      >
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
      {hint !== undefined && (
        <p id={`${id}-hint`} className="muted">
          {hint}
        </p>
      )}
      {children}
    </div>
  );
}
