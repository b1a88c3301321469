import { expect, test } from "vitest";
import { ApiError, callApi, type Fetch } from "./http";

const answering =
  (response: Response): Fetch =>
  () =>
    Promise.resolve(response);

test("a problem document becomes an error with its code", async () => {
  const body = JSON.stringify({ status: 403, code: "not_granted", detail: "you may not" });
  const call = callApi("/x", {}, answering(new Response(body, { status: 403 })));
  await expect(call).rejects.toEqual(new ApiError(403, "not_granted", "you may not"));
});

test("a proxy's HTML page is an error too, of its status", async () => {
  const call = callApi("/x", {}, answering(new Response("<html>", { status: 502 })));
  await expect(call).rejects.toMatchObject({ status: 502, isTemporary: true });
});

test("an empty answer is nothing", async () => {
  expect(await callApi("/x", {}, answering(new Response(null, { status: 204 })))).toBeNull();
});

test.each([
  [0, true],
  [401, false],
  [404, false],
  [409, false],
  [429, true],
  [500, true],
  [503, true],
])("status %i: trying again later makes sense: %s", (status, temporary) => {
  expect(new ApiError(status, "", "").isTemporary).toBe(temporary);
});

test("no cookies are sent and nothing is cached", async () => {
  let seen: RequestInit = {};
  await callApi("/x", { method: "POST", body: {}, token: "t" }, (_, init) => {
    seen = init;
    return Promise.resolve(Response.json({}));
  });
  expect(seen).toMatchObject({ credentials: "omit", cache: "no-store" });
});
