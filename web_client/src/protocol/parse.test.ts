import { expect, test } from "vitest";
import { parseServerMessage } from "./parse";

test("a message of a known type is understood", () => {
  expect(parseServerMessage('{"type":"pong","id":3,"server_time_us":5}')).toEqual({
    type: "pong",
    id: 3,
    server_time_us: 5,
  });
});

test.each([
  "",
  "{",
  "[]",
  "null",
  "3",
  '"pong"',
  '{"id":1}',
  '{"type":7}',
  '{"type":"toString"}',
  '{"type":"new"}',
])("%s is ignored", (text) => {
  expect(parseServerMessage(text)).toBeNull();
});
