import { expect, test } from "vitest";
import { deviceProblem, type DeviceProblem } from "./devices";

test.each<[string, DeviceProblem]>([
  ["NotAllowedError", "blocked"],
  ["SecurityError", "blocked"],
  ["NotFoundError", "none-found"],
  ["NotReadableError", "in-use"],
  ["AbortError", "in-use"],
  ["OverconstrainedError", "unsuitable"],
  ["SomethingNew", "unknown"],
])("%s means %s", (name, problem) => {
  expect(deviceProblem(new DOMException("", name))).toBe(problem);
});

test.each([undefined, null, "text", 3])("%s is no reason to fail", (thrown) => {
  expect(deviceProblem(thrown)).toBe("unknown");
});
