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
const session = new Session(window.sessionStorage);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") session.park();
  else session.unpark();
});
window.addEventListener("pagehide", () => {
  session.park();
});
window.addEventListener("pageshow", (event) => {
  // Brought back from the browser's cache of left pages: the room was left, so begin anew.
  if (event.persisted) window.location.reload();
});

const choice = new LanguageChoice(window.localStorage, navigator.languages);
createRoot(root).render(
  <TextProvider choice={choice}>
    <App session={session} />
  </TextProvider>,
);
