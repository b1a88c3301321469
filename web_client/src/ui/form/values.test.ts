import { expect, test } from "vitest";
import { EMPTY, headerOf, mistakesIn, requestOf, type Values } from "./values";

const FILLED: Values = {
  ...EMPTY,
  name: " 张三丰 ",
  sex: "male",
  age: "57",
  examNumber: "US-20417",
  specialty: "Cardiology",
  question: "患者张三丰，瓣膜是否关闭不全？\n急",
  devices: ["d_1"],
  invited: ["o_2"],
  consentConsult: true,
  consentRecord: true,
  record: true,
};

test("a form that is filled in has no mistakes; an empty one says what is missing", () => {
  expect(mistakesIn(FILLED)).toEqual({});
  expect(mistakesIn(EMPTY)).toEqual({
    name: "missing",
    sex: "missing",
    age: "missing",
    examNumber: "missing",
    consentConsult: "needed",
    recordReason: "missing",
  });
});

test.each([
  ["-1", "notYears"],
  ["151", "notYears"],
  ["5.5", "notYears"],
  ["five", "notYears"],
  ["1e2", "notYears"],
  ["0", undefined],
  ["150", undefined],
  [" 57 ", undefined],
])("age %j: %s", (age, mistake) => {
  expect(mistakesIn({ ...FILLED, age }).age).toBe(mistake);
});

test.each(["---", "***", "\u202e"])("%j is no name", (name) => {
  expect(mistakesIn({ ...FILLED, name }).name).toBeDefined();
});

test("who is not recorded needs a reason, whatever the consent", () => {
  const without = { ...FILLED, record: false };
  expect(mistakesIn(without)).toEqual({ recordReason: "missing" });
  expect(mistakesIn({ ...without, recordReason: "emergency" })).toEqual({});
  expect(mistakesIn({ ...FILLED, consentRecord: false })).toEqual({ recordReason: "missing" });
});

test("without the consent to record nothing is recorded, even if it was ticked before", () => {
  const request = requestOf({ ...FILLED, consentRecord: false, recordReason: "refused" });
  expect(request).toMatchObject({ consent_record: false, record: false, record_reason: "refused" });
});

test("the full name is in nothing that is sent", () => {
  const request = requestOf({
    ...FILLED,
    examNumber: "张三丰-2",
    recordReason: "张三丰 refused",
    record: false,
  });
  expect(JSON.stringify(request)).not.toContain("张三丰");
  expect(request).toEqual({
    patient: { name: "张*丰", sex: "male", age: 57, exam_number: "张*丰-2" },
    specialty: "Cardiology",
    question: "患者张*丰，瓣膜是否关闭不全？\n急",
    consent_consult: true,
    consent_record: true,
    record: false,
    record_reason: "张*丰 refused",
    retention_class: "",
    devices: ["d_1"],
    invited: ["o_2"],
  });
});

test("the preview grows while one types, and ends as the header everyone sees", () => {
  expect(headerOf(EMPTY)).toBe("… · … · … · …");
  expect(headerOf({ ...EMPTY, name: "张三丰" })).toBe("张*丰 · … · … · …");
  expect(headerOf({ ...EMPTY, name: "张三丰", sex: "male" })).toBe("张*丰 · 男 · … · …");
  expect(headerOf({ ...EMPTY, age: "57", examNumber: "US-1" })).toBe("… · … · 57 · US-1");
  expect(headerOf({ ...EMPTY, age: "157" })).toBe("… · … · … · …");
  expect(headerOf(FILLED)).toBe("张*丰 · 男 · 57 · US-20417");
});
