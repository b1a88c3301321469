import type { ApiDocument, Schema } from "./document";

/** One field of a JSON object, as a row for people. `link`: the schema that says more. */
export interface Field {
  name: string;
  type: string;
  link: string | null;
  required: boolean;
  note: string;
}

const DEPTH = 6;

/** The last part of a reference such as `#/components/schemas/Login`. */
export const nameOf = (ref: string) => ref.slice(ref.lastIndexOf("/") + 1);

export function follow(document: ApiDocument, schema: Schema): Schema {
  return schema.$ref === undefined ? schema : (document.components.schemas[nameOf(schema.$ref)] ?? {});
}

/** What may stand there, in a few characters. */
export function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) return nameOf(schema.$ref);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(" | ");
  if (schema.type === "array") {
    const items = typeOf(schema.items ?? {});
    return items.includes(" ") ? `(${items})[]` : `${items}[]`;
  }
  return schema.type ?? "any";
}

/** The named schema a type is, holds a list of, or may be. */
export function linkOf(schema: Schema): string | null {
  if (schema.$ref !== undefined) return nameOf(schema.$ref);
  if (schema.items !== undefined) return linkOf(schema.items);
  return schema.anyOf?.map(linkOf).find((name) => name !== null) ?? null;
}

export function limitsOf(schema: Schema): string {
  const said = [schema.description];
  if (schema.minimum !== undefined) said.push(`≥ ${schema.minimum}`);
  if (schema.maximum !== undefined) said.push(`≤ ${schema.maximum}`);
  if (schema.minLength !== undefined) said.push(`length ≥ ${schema.minLength}`);
  if (schema.maxLength !== undefined) said.push(`length ≤ ${schema.maxLength}`);
  if (schema.maxItems !== undefined) said.push(`≤ ${schema.maxItems} items`);
  if (schema.default !== undefined) said.push(`default ${JSON.stringify(schema.default)}`);
  return said.filter((part) => part !== undefined && part !== "").join("; ");
}

export function fieldsOf(schema: Schema): Field[] {
  return Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    name,
    type: typeOf(property),
    link: linkOf(property),
    required: schema.required?.includes(name) ?? false,
    note: limitsOf(property),
  }));
}

/** A value that the schema takes, to start from. */
export function exampleOf(document: ApiDocument, schema: Schema, depth = 0): unknown {
  const found = follow(document, schema);
  const given = schema.examples?.[0] ?? found.examples?.[0] ?? schema.default ?? found.default ?? found.const;
  if (given !== undefined) return given;
  if (found.enum !== undefined) return found.enum[0];
  if (found.anyOf?.[0] !== undefined) return exampleOf(document, found.anyOf[0], depth);
  if (found.type === "array") return depth > DEPTH ? [] : [exampleOf(document, found.items ?? {}, depth + 1)];
  if (found.type === "object" || found.properties !== undefined) {
    const fields = depth > DEPTH ? [] : Object.entries(found.properties ?? {});
    return Object.fromEntries(fields.map(([name, field]) => [name, exampleOf(document, field, depth + 1)]));
  }
  return found.type === "boolean" ? true : found.type === "string" ? "…" : (found.minimum ?? 0);
}
