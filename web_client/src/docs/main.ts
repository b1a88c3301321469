import "../ui/style/base.css";
import "./docs.css";
import { inLanguage, type ApiDocument } from "./document";
import { h } from "./dom";
import { apiPage, openNamed } from "./page";
import { wordsFor } from "./words";

const root = document.getElementById("docs");
if (root === null) throw new Error("docs/index.html has no #docs");

const [language, words] = wordsFor(localStorage.getItem("teleconsult.language"), navigator.languages);
document.documentElement.lang = language;
document.title = words.title;
root.replaceChildren(h("main", { class: "api" }, h("p", { role: "status" }, words.loading)));

try {
  const response = await fetch("/openapi.json");
  if (!response.ok) throw new Error(String(response.status));
  const described = (await response.json()) as ApiDocument;
  root.replaceChildren(apiPage(inLanguage(described, language), words));
} catch {
  root.replaceChildren(
    h("main", { class: "api" }, h("p", { role: "alert", class: "problem" }, words.failed)),
  );
}
openNamed(root, window.location.hash);
window.addEventListener("hashchange", () => {
  openNamed(root, window.location.hash);
});
