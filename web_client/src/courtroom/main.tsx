import { createRoot } from "react-dom/client";
import { LanguageChoice } from "../i18n/language";
import { TextProvider } from "../i18n/useText";
import { Fence } from "../ui/Fence";
import { bakedWorker, readBaked } from "./baked";
import { CourtroomApp } from "./view/CourtroomApp";
import "../ui/style/base.css";
import "../ui/style/pages.css";
import "../ui/style/lists.css";
import "../replay/view/replay.css";
import "./view/courtroom.css";

const root = document.getElementById("root");
if (root === null) throw new Error("the page has no #root");

/** A file has no storage of its own in every browser: the language is chosen anew each time. */
const nothingKept = { getItem: () => null, setItem: () => undefined };

createRoot(root).render(
  <TextProvider choice={new LanguageChoice(nothingKept, navigator.languages)}>
    <Fence>
      <CourtroomApp baked={readBaked(document)} makeWorker={() => bakedWorker(document)} />
    </Fence>
  </TextProvider>,
);
