import { useText } from "../i18n/useText";

/** Names the other language in its own words, so that anyone finds the way out of a foreign one. */
export function LanguageButton() {
  const { text, language, toggleLanguage } = useText();
  return (
    <button
      type="button"
      className="quiet"
      data-testid="language"
      lang={language === "en" ? "zh-CN" : "en"}
      aria-label={text.account.switchLanguage}
      onClick={toggleLanguage}
    >
      {language === "en" ? "中文" : "EN"}
    </button>
  );
}
