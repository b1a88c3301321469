import { createRoot } from "react-dom/client";
import { Session } from "./api/session";
import { NOTES_KEY } from "./api/signOutNotes";
import { claimForTab } from "./api/tabLock";
import { LanguageChoice } from "./i18n/language";
import { TextProvider } from "./i18n/useText";
import { installSupport } from "./support";
import { App } from "./ui/App";
import { Fence } from "./ui/Fence";
import { InviteToken } from "./ui/invite/inviteToken";
import "./ui/style/base.css";
import "./ui/style/pages.css";
import "./ui/style/room.css";
import "./ui/style/lists.css";
import "./ui/style/panels.css";
import "./ui/style/stage.css";
import "./ui/style/onsite.css";
import "./ui/style/devices.css";

installSupport(window);

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");

// Before anything reads the address: an invitation's token does not stay in it.
const invite = new InviteToken(window.sessionStorage);
invite.take(window);
window.addEventListener("hashchange", () => {
  invite.take(window);
});

const session = new Session({
  tab: window.sessionStorage,
  shared: window.localStorage,
  hidden: () => document.visibilityState === "hidden",
  claim: (name) => claimForTab(name),
});
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
window.addEventListener("storage", (event) => {
  if (event.key === NOTES_KEY || event.key === null) session.heed();
});

const choice = new LanguageChoice(window.localStorage, navigator.languages);
createRoot(root).render(
  <TextProvider choice={choice}>
    <Fence>
      <App session={session} invite={invite} />
    </Fence>
  </TextProvider>,
);
