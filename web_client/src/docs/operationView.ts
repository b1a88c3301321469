import { h } from "./dom";
import type { Answer, ApiDocument, Content, Operation, Schema } from "./document";
import { exampleOf, fieldsOf, follow, limitsOf, linkOf, typeOf } from "./schema";
import type { Words } from "./words";

const JSON_TYPE = "application/json";

/** One operation, closed until somebody opens it. Its id is that of its link: `op-<operationId>`. */
export function operationView(document: ApiDocument, operation: Operation, words: Words): HTMLElement {
  return h(
    "details",
    { id: `op-${operation.operationId}`, class: "operation" },
    h(
      "summary",
      {},
      h("span", { class: `method ${operation.method.toLowerCase()}` }, operation.method),
      h("code", {}, operation.path),
      h("span", { class: "said" }, operation.summary),
    ),
    h("p", { class: "muted" }, operation.description),
    parametersView(operation, words),
    ...Object.entries(operation.requestBody?.content ?? {}).map(([type, content]) =>
      bodyView(document, words.request, type, content, words),
    ),
    h("h4", {}, words.answers),
    answersView(document, operation.responses),
  );
}

function parametersView(operation: Operation, words: Words): HTMLElement | null {
  if (operation.parameters === undefined) return null;
  const rows = operation.parameters.map(({ name, in: place, required, schema }) =>
    row(words, name, typeOf(schema), null, required, [place, limitsOf(schema)].filter(Boolean).join("; ")),
  );
  return h("div", {}, h("h4", {}, words.parameters), table(words, words.parameters, rows));
}

function bodyView(
  document: ApiDocument,
  title: string,
  type: string,
  content: Content,
  words: Words,
): HTMLElement {
  const box = h("div", {}, h("h4", {}, `${title} `, h("code", {}, type)));
  if (type === JSON_TYPE) {
    box.append(schemaTable(words, title, follow(document, content.schema)));
    const example = JSON.stringify(exampleOf(document, content.schema), null, 2);
    box.append(h("details", {}, h("summary", {}, words.example), codeBlock(words.example, example)));
  } else if (content.schema.description !== undefined) {
    box.append(h("p", {}, content.schema.description));
  }
  return box;
}

/** Focusable, so that long lines can be scrolled by keyboard. */
function codeBlock(label: string, text: string): HTMLElement {
  return h("pre", { tabindex: "0", role: "region", "aria-label": label }, text);
}

function answersView(document: ApiDocument, answers: Record<string, Answer>): HTMLElement {
  const items = Object.entries(answers).map(([status, answer]) =>
    h(
      "li",
      {},
      h("code", { class: "status" }, status),
      ` ${answer.description}`,
      ...contentOf(document, answer),
    ),
  );
  return h("ul", { class: "answers" }, ...items);
}

function contentOf(document: ApiDocument, answer: Answer): (Node | string)[] {
  return Object.entries(answer.content ?? {}).flatMap(([type, { schema }]): (Node | string)[] => {
    if (type === "application/problem+json") return [];
    if (type !== JSON_TYPE) return [" · ", h("code", {}, type)];
    return [" · ", typeView(typeOf(schema), linkOf(schema), document)];
  });
}

function typeView(type: string, link: string | null, document?: ApiDocument): HTMLElement {
  const known = link !== null && (document === undefined || link in document.components.schemas);
  return known ? h("a", { href: `#schema-${link}` }, type) : h("code", {}, type);
}

/** A named schema with its fields. */
export function schemaView(name: string, schema: Schema, words: Words): HTMLElement {
  return h(
    "details",
    { id: `schema-${name}`, class: "operation" },
    h("summary", {}, h("code", {}, name)),
    schema.description === undefined ? null : h("p", { class: "muted" }, schema.description),
    schemaTable(words, name, schema),
  );
}

function schemaTable(words: Words, label: string, schema: Schema): HTMLElement {
  const rows = fieldsOf(schema).map(({ name, type, link, required, note }) =>
    row(words, name, type, link, required, note),
  );
  return rows.length === 0 ? h("p", {}, h("code", {}, typeOf(schema))) : table(words, label, rows);
}

function table(words: Words, label: string, rows: HTMLElement[]): HTMLElement {
  const heads = [words.field, words.type, words.note].map((text) => h("th", { scope: "col" }, text));
  return h(
    "div",
    { class: "wide", tabindex: "0", role: "region", "aria-label": label },
    h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...rows)),
  );
}

function row(
  words: Words,
  name: string,
  type: string,
  link: string | null,
  required: boolean,
  note: string,
): HTMLElement {
  const said = [required ? words.required : "", note].filter(Boolean).join("; ");
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, h("code", {}, name)),
    h("td", {}, typeView(type, link)),
    h("td", {}, said),
  );
}
