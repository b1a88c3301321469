import { DICTIONARIES, LANGUAGE_NAMES, type Language } from "../../i18n/language";
import { useText } from "../../i18n/useText";

const LANGUAGES = Object.keys(DICTIONARIES) as Language[];

/** Each language in its own words. */
export function LanguageSection() {
  const { text, language, setLanguage } = useText();
  return (
    <fieldset className="options">
      <legend className="unseen">{text.pages.settings.language}</legend>
      {LANGUAGES.map((one) => (
        <label key={one} className="option" lang={one}>
          <input
            type="radio"
            name="language"
            value={one}
            checked={one === language}
            onChange={() => {
              setLanguage(one);
            }}
          />
          <span>{LANGUAGE_NAMES[one]}</span>
        </label>
      ))}
    </fieldset>
  );
}
