/** As much of OpenAPI 3.1 as the service's own `/openapi.json` uses. */

export interface Schema {
  $ref?: string;
  type?: string;
  title?: string;
  description?: string;
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  examples?: unknown[];
  format?: string;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  anyOf?: Schema[];
  allOf?: Schema[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
}

export interface Content {
  schema: Schema;
}

export interface Answer {
  description: string;
  content?: Record<string, Content>;
}

export interface Parameter {
  name: string;
  in: "path" | "query";
  required: boolean;
  schema: Schema;
}

export interface Described {
  operationId: string;
  tags: string[];
  summary: string;
  description: string;
  "x-summary-zh"?: string;
  "x-description-zh"?: string;
  parameters?: Parameter[];
  requestBody?: { content: Record<string, Content> };
  responses: Record<string, Answer>;
}

interface Translated {
  description: string;
  "x-description-zh"?: string;
}

export interface ApiDocument {
  info: Translated & { title: string; version: string };
  tags: (Translated & { name: string })[];
  paths: Record<string, Record<string, Described>>;
  components: { schemas: Record<string, Schema> };
}

export interface Operation extends Described {
  method: string;
  path: string;
}

export interface Group {
  name: string;
  title: string;
  operations: Operation[];
}

/** The operations by tag, in the document's order. */
export function groupsOf(document: ApiDocument): Group[] {
  const all = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]): Operation => ({
      ...described,
      method: method.toUpperCase(),
      path,
    })),
  );
  return document.tags.map(({ name, description }) => ({
    name,
    title: description,
    operations: all.filter((operation) => operation.tags[0] === name),
  }));
}

/** The document in the reader's language, as far as the service says it in that. Pure. */
export function inLanguage(document: ApiDocument, language: string): ApiDocument {
  if (!/^zh/i.test(language)) return document;
  const described = <T extends Translated>(one: T): T => ({
    ...one,
    description: one["x-description-zh"] ?? one.description,
  });
  const methods = (all: Record<string, Described>) =>
    Object.fromEntries(
      Object.entries(all).map(([method, one]) => [
        method,
        { ...described(one), summary: one["x-summary-zh"] ?? one.summary },
      ]),
    );
  return {
    ...document,
    info: described(document.info),
    tags: document.tags.map(described),
    paths: Object.fromEntries(Object.entries(document.paths).map(([path, all]) => [path, methods(all)])),
  };
}

/** True when every word of `wanted` is somewhere in what is said about the operation. */
export function matches(operation: Operation, wanted: string): boolean {
  const said = [
    operation.method,
    operation.path,
    operation.operationId,
    operation.summary,
    operation.description,
  ]
    .join(" ")
    .toLowerCase();
  return wanted
    .toLowerCase()
    .split(/\s+/)
    .every((word) => said.includes(word));
}
