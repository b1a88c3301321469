import { useId } from "react";
import type { Device, Organisation } from "../../api/types";
import { useText } from "../../i18n/useText";
import { Problem } from "./Field";
import type { PartProps } from "./RequestForm";
import type { Offered } from "./useOffered";

interface Option {
  id: string;
  label: string;
  detail?: string;
  disabled?: boolean;
}

interface GroupProps {
  name: "devices" | "invited";
  legend: string;
  hint: string;
  none: string;
  /** Null while loading. */
  options: readonly Option[] | null;
  part: PartProps;
}

/** Boxes to attach, and organisations to invite. */
export function ChoiceFields({ offered, ...part }: PartProps & { offered: Offered }) {
  const { text } = useText();
  const words = text.pages.form;
  const device = ({ device_id: id, name, feeds, disabled }: Device): Option => ({
    id,
    label: name,
    detail: disabled ? words.deviceDisabled : words.feeds(feeds.join(", ")),
    disabled,
  });
  const organisation = ({ organisation_id: id, name }: Organisation): Option => ({ id, label: name });
  return (
    <>
      <Group
        name="devices"
        legend={words.devices}
        hint={words.devicesHint}
        none={words.noDevices}
        options={offered.devices?.map(device) ?? null}
        part={part}
      />
      <Group
        name="invited"
        legend={words.invited}
        hint={words.invitedHint}
        none={words.noOrganisations}
        options={offered.organisations?.map(organisation) ?? null}
        part={part}
      />
      {offered.failed && (
        <p className="problem" role="alert">
          {words.listFailed}{" "}
          <button type="button" onClick={offered.reload}>
            {text.room.tryAgain}
          </button>
        </p>
      )}
    </>
  );
}

function Group({ name, legend, hint, none, options, part }: GroupProps) {
  const { text } = useText();
  const id = useId();
  const mistake = part.mistakes[name];
  const nothing = options?.length === 0;
  return (
    <fieldset
      className="form-part"
      data-field={name}
      aria-describedby={`${id}-hint${mistake ? ` ${id}-mistake` : ""}`}
    >
      <legend>
        {legend} <span className="muted optional">({text.pages.form.optional})</span>
      </legend>
      <p id={`${id}-hint`} className="field-hint">
        {nothing ? none : hint}
      </p>
      {options === null && <p className="muted">{text.loading}</p>}
      {options !== null && !nothing && (
        <div className="options" data-testid={name}>
          {options.map((option) => (
            <Choice key={option.id} name={name} option={option} part={part} />
          ))}
        </div>
      )}
      <Problem id={`${id}-mistake`} name={name} mistake={mistake} />
    </fieldset>
  );
}

function Choice({ name, option, part }: { name: "devices" | "invited"; option: Option; part: PartProps }) {
  const chosen = part.values[name];
  return (
    <label className="option" data-disabled={option.disabled}>
      <input
        type="checkbox"
        disabled={option.disabled}
        checked={chosen.includes(option.id)}
        onChange={(event) => {
          const others = chosen.filter((id) => id !== option.id);
          part.set({ [name]: event.currentTarget.checked ? [...others, option.id] : others });
        }}
      />
      <span>
        {option.label} {option.detail !== undefined && <small className="muted">{option.detail}</small>}
      </span>
    </label>
  );
}
