import { expect, test } from "vitest";
import type { FileInfo } from "../protocol/messages";
import { IDLE_BYTES_MAX, PictureShelf } from "./pictureShelf";

const file = (id: string, size_bytes = 1): FileInfo => ({
  file_id: id,
  name: id,
  media_type: "image/png",
  size_bytes,
  sha256: "",
});

function setUp(read: (file: FileInfo) => Promise<Blob> = () => Promise.resolve(new Blob())) {
  const asked: string[] = [];
  const revoked: string[] = [];
  let made = 0;
  const shelf = new PictureShelf(
    (one) => {
      asked.push(one.file_id);
      return read(one);
    },
    {
      createObjectURL: () => `blob:${(made += 1)}`,
      revokeObjectURL: (url) => revoked.push(url),
    },
  );
  return { shelf, asked, revoked };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

test("a picture is fetched once for all who show it, and again soon after they closed it", async () => {
  const { shelf, asked, revoked } = setUp();
  expect(await Promise.all([shelf.take(file("a")), shelf.take(file("a"))])).toEqual(["blob:1", "blob:1"]);
  shelf.release(file("a"));
  shelf.release(file("a"));
  expect(await shelf.take(file("a"))).toBe("blob:1");
  expect(asked).toEqual(["a"]);
  expect(revoked).toEqual([]);
});

test("beyond its bound the shelf lets go of what was looked at longest ago, never of what is on screen", async () => {
  const { shelf, revoked } = setUp();
  const half = IDLE_BYTES_MAX / 2;
  for (const id of ["shown", "old", "new", "newest"]) await shelf.take(file(id, half));
  for (const id of ["old", "new", "newest"]) shelf.release(file(id, half));
  await settle();
  expect(revoked).toEqual(["blob:2"]);
});

test("leaving the room revokes everything", async () => {
  const { shelf, revoked } = setUp();
  await shelf.take(file("a"));
  await shelf.take(file("b"));
  shelf.clear();
  await settle();
  expect(revoked).toEqual(["blob:1", "blob:2"]);
});

test("a picture that could not be fetched is asked for again by the next one who wants it", async () => {
  const answers = [Promise.reject(new Error("offline")), Promise.resolve(new Blob())];
  const { shelf, asked } = setUp(() => answers.shift() ?? expect.fail("asked too often"));
  await expect(shelf.take(file("a"))).rejects.toThrow("offline");
  shelf.release(file("a"));
  expect(await shelf.take(file("a"))).toBe("blob:1");
  expect(asked).toEqual(["a", "a"]);
});
