import { h } from "./dom";
import { groupsOf, matches, type ApiDocument, type Operation } from "./document";
import { operationView, schemaView } from "./operationView";
import type { Words } from "./words";

/** The whole page about a description. */
export function apiPage(api: ApiDocument, words: Words): HTMLElement {
  const shown: [Operation, HTMLElement][] = [];
  const sections = groupsOf(api).map((group) =>
    h(
      "section",
      { "aria-labelledby": `tag-${group.name}` },
      h("h3", { id: `tag-${group.name}` }, group.title),
      ...group.operations.map((operation) => {
        const view = operationView(api, operation, words);
        shown.push([operation, view]);
        return view;
      }),
    ),
  );
  const none = h("p", { role: "status" });
  const field = h("input", { type: "search", id: "filter", autocomplete: "off" });
  field.addEventListener("input", () => {
    filter(shown, sections, field.value);
    none.textContent = sections.every((section) => section.hidden) ? words.none : "";
  });
  const schemas = Object.entries(api.components.schemas).map(([name, schema]) =>
    schemaView(name, schema, words),
  );
  return h(
    "main",
    { class: "api" },
    h("header", {}, h("h1", {}, words.title), h("p", {}, `${api.info.version} · ${api.info.description}`)),
    h("p", {}, h("a", { href: "/openapi.json" }, words.document)),
    h("h2", {}, words.contents),
    h("p", { class: "find" }, h("label", { for: "filter" }, words.filter), field),
    none,
    ...sections,
    h("h2", {}, words.schemas),
    h("section", {}, ...schemas),
  );
}

function filter(shown: [Operation, HTMLElement][], sections: HTMLElement[], wanted: string): void {
  for (const [operation, view] of shown) view.hidden = !matches(operation, wanted.trim());
  for (const section of sections) {
    section.hidden = ![...section.querySelectorAll<HTMLElement>(".operation")].some((view) => !view.hidden);
  }
}

/** Opens what the address names, such as `#op-login`, and shows it. */
export function openNamed(root: ParentNode, hash: string): void {
  const named = [...root.querySelectorAll("details")].find((one) => one.id !== "" && `#${one.id}` === hash);
  if (named === undefined) return;
  named.open = true;
  named.scrollIntoView();
  named.querySelector("summary")?.focus({ preventScroll: true });
}
