import { expect, test } from "vitest";
import { roomInHash } from "./route";

test("a room is named in the hash", () => {
  expect(roomInHash("#/room/us-20417")).toBe("us-20417");
});

test.each(["", "#/", "#/room/", "#/room/UP", "#/room/a/b", "#/room/%2e%2e", "#/room/-a"])(
  "%s names none",
  (hash) => {
    expect(roomInHash(hash)).toBeNull();
  },
);
