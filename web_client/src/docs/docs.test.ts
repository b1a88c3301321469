// @vitest-environment happy-dom
import { expect, test } from "vitest";
import { groupsOf, inLanguage, matches, type ApiDocument, type Operation } from "./document";
import { apiPage, openNamed } from "./page";
import { exampleOf, fieldsOf, linkOf, typeOf } from "./schema";
import { wordsFor } from "./words";

const api: ApiDocument = {
  info: { title: "T", version: "1.0", description: "<b>described</b>" },
  tags: [
    { name: "one", description: "First" },
    { name: "two", description: "Second" },
  ],
  paths: {
    "/a/{id}": {
      get: { operationId: "show", tags: ["two"], summary: "Show it", description: "For all.", responses: {} },
      post: {
        operationId: "change",
        tags: ["one"],
        summary: "<script>alert(1)</script>",
        description: "For site.",
        parameters: [{ name: "id", in: "path", required: true, schema: { type: "string" } }],
        requestBody: { content: { "application/json": { schema: { $ref: "#/components/schemas/Thing" } } } },
        responses: {
          200: {
            description: "OK",
            content: { "application/json": { schema: { $ref: "#/components/schemas/Thing" } } },
          },
        },
      },
    },
  },
  components: {
    schemas: {
      Thing: {
        type: "object",
        required: ["age"],
        properties: {
          age: { type: "integer", minimum: 3, maximum: 9 },
          sex: { enum: ["a", "b"] },
          maybe: { anyOf: [{ type: "string", maxLength: 5 }, { type: "null" }], default: null },
          parts: { type: "array", items: { $ref: "#/components/schemas/Thing" } },
        },
      },
    },
  },
};
const [, words] = wordsFor("en", []);
const thing = api.components.schemas["Thing"] ?? {};

test("fields are told with their type, limits and whether they are needed", () => {
  expect(fieldsOf(thing)).toEqual([
    { name: "age", type: "integer", link: null, required: true, note: "≥ 3; ≤ 9" },
    { name: "sex", type: '"a" | "b"', link: null, required: false, note: "" },
    { name: "maybe", type: "string | null", link: null, required: false, note: "default null" },
    { name: "parts", type: "Thing[]", link: "Thing", required: false, note: "" },
  ]);
  expect(typeOf({ type: "array", items: { enum: [1, 2] } })).toBe("(1 | 2)[]");
  expect(linkOf({ anyOf: [{ type: "null" }, { $ref: "#/components/schemas/Thing" }] })).toBe("Thing");
});

test("an example of a schema that holds itself comes to an end", () => {
  const example = JSON.stringify(exampleOf(api, { $ref: "#/components/schemas/Thing" }));
  expect(example).toContain('"age":3,"sex":"a","maybe":"…"');
  expect(example.length).toBeLessThan(2000);
});

test("operations are grouped by tag, in the order of the tags", () => {
  expect(
    groupsOf(api).map(({ title, operations }) => [title, operations.map((one) => one.operationId)]),
  ).toEqual([
    ["First", ["change"]],
    ["Second", ["show"]],
  ]);
});

test("every word typed has to be found, in any order", () => {
  const show = api.paths["/a/{id}"]?.["get"];
  if (show === undefined) throw new Error("no such operation");
  const operation: Operation = { ...show, method: "GET", path: "/a/{id}" };
  expect(matches(operation, "it GET")).toBe(true);
  expect(matches(operation, "it post")).toBe(false);
  expect(matches(operation, "")).toBe(true);
});

test("what the description says is shown as text, never as markup", () => {
  const page = apiPage(api, words);
  expect(page.querySelector("b, script")).toBeNull();
  expect(page.textContent).toContain("<script>alert(1)</script>");
});

test("typing hides what does not match, sections too, and says when nothing is left", () => {
  const page = apiPage(api, words);
  const field = page.querySelector("input");
  if (field === null) throw new Error("no field");
  const type = (text: string) => {
    field.value = text;
    field.dispatchEvent(new Event("input"));
  };
  const visible = () => [...page.querySelectorAll<HTMLElement>("[id^=op-]")].filter((one) => !one.hidden);
  type("show");
  expect(visible().map((one) => one.id)).toEqual(["op-show"]);
  type("nothing like it");
  expect(page.querySelector("[role=status]")?.textContent).toBe(words.none);
  type("");
  expect(visible()).toHaveLength(2);
});

test("an address opens what it names and survives one that names nothing", () => {
  const page = apiPage(api, words);
  openNamed(page, "#op-show");
  openNamed(page, "#op-none");
  openNamed(page, "#%00'\"]");
  expect([...page.querySelectorAll("details[open]")].map((one) => one.id)).toEqual(["op-show"]);
});

test("the page speaks the remembered language, else the browser's", () => {
  expect(wordsFor("zh-CN", ["en"])[0]).toBe("zh-CN");
  expect(wordsFor(null, ["fr", "zh-TW"])[0]).toBe("zh-CN");
  expect(wordsFor(null, ["fr"])[0]).toBe("en");
});

test("who reads Chinese reads it where the service has it, and English elsewhere", () => {
  const show = api.paths["/a/{id}"]?.["get"] ?? expect.fail();
  const told: ApiDocument = {
    ...api,
    tags: [{ name: "two", description: "Second", "x-description-zh": "第二" }],
    paths: { "/a/{id}": { get: { ...show, "x-summary-zh": "显示" } } },
  };
  expect(inLanguage(told, "en")).toBe(told);
  const [group] = groupsOf(inLanguage(told, "zh-CN"));
  expect(group).toMatchObject({ title: "第二", operations: [{ summary: "显示", description: "For all." }] });
  const [, zh] = wordsFor("zh-CN", []);
  expect(apiPage(inLanguage(told, "zh-CN"), zh).textContent).toContain("显示");
});
