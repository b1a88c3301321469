import { createRoot } from "react-dom/client";
import { Session } from "./api/session";
import { LanguageChoice } from "./i18n/language";
import { TextProvider } from "./i18n/useText";
import { installSupport } from "./support";
import { App } from "./ui/App";
import "./ui/style/base.css";
import "./ui/style/pages.css";
import "./ui/style/room.css";

installSupport(window);

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
const choice = new LanguageChoice(window.localStorage, navigator.languages);
createRoot(root).render(
  <TextProvider choice={choice}>
    <App session={new Session(window.sessionStorage)} />
  </TextProvider>,
);
