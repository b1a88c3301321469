import { expect, test } from "vitest";
import { fakeStorage } from "../../api/fakeServer";
import { Draft } from "./draft";
import { EMPTY, type Values } from "./values";

const TYPED: Values = {
  ...EMPTY,
  name: "张三丰",
  sex: "male",
  age: "57",
  examNumber: "张三丰-2",
  question: "张 三丰 has a murmur",
  devices: ["d_1"],
  consentConsult: true,
  recordReason: "张三丰 refused",
};

test("everything comes back but the patient's name, wherever it was written", () => {
  const tab = fakeStorage();
  new Draft(tab, "u_1").save(TYPED);
  expect([...tab.stored.values()].join()).not.toMatch(/张\s*三\s*丰/);
  expect(new Draft(tab, "u_1").load()).toEqual({
    ...TYPED,
    name: "",
    examNumber: "张*丰-2",
    question: "张*丰 has a murmur",
    recordReason: "张*丰 refused",
  });
});

test("somebody else finds nothing, and it is gone then", () => {
  const tab = fakeStorage();
  new Draft(tab, "u_1").save(TYPED);
  expect(new Draft(tab, "u_2").load()).toBeNull();
  expect(tab.stored.size).toBe(0);
});

test("there is nothing to come back to at first, nor afterwards", () => {
  const tab = fakeStorage();
  const draft = new Draft(tab, "u_1");
  expect(draft.load()).toBeNull();
  draft.save(TYPED);
  draft.clear();
  expect(draft.load()).toBeNull();
});

test.each([
  "not json",
  "7",
  "[]",
  '{"user_id":"u_1"}',
  '{"user_id":"u_1","values":{"sex":"x","devices":[1]}}',
])("what another version left (%s) does no harm", (left) => {
  const tab = fakeStorage(new Map([["teleconsult.draft", left]]));
  expect([null, EMPTY]).toContainEqual(new Draft(tab, "u_1").load());
});
