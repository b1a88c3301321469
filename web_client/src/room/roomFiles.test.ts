import { expect, test } from "vitest";
import { ApiError } from "../api/http";
import type { FileInfo } from "../protocol/messages";
import { RoomFiles, type Upload, type UploadAnswer } from "./roomFiles";

const INFO: FileInfo = { file_id: "f_1", name: "a", media_type: "image/png", size_bytes: 1, sha256: "" };
const SIGNAL = new AbortController().signal;
const problem = (status: number, code: string): UploadAnswer => ({
  status,
  text: JSON.stringify({ status, code, detail: "why" }),
});

function setUp(answers: UploadAnswer[] | Response[]) {
  const sent: Upload[] = [];
  const fetched: { url: string; init: RequestInit }[] = [];
  const renewals: boolean[] = [];
  const next = <Answer>(list: unknown[]) =>
    (list.shift() as Answer | undefined) ?? expect.fail("asked too often");
  const files = new RoomFiles({
    room: "demo",
    token: (renew) => {
      renewals.push(renew);
      return Promise.resolve(renew ? "new" : "old");
    },
    send: (upload) => {
      sent.push(upload);
      return Promise.resolve(next<UploadAnswer>(answers));
    },
    fetcher: (url, init) => {
      fetched.push({ url, init });
      return Promise.resolve(next<Response>(answers));
    },
  });
  return { files, sent, fetched, renewals };
}

test("a file goes with the room token and its name, never in the address", async () => {
  const { files, sent } = setUp([{ status: 201, text: JSON.stringify(INFO) }]);
  const file = new File(["x"], "张三 心超.png", { type: "image/png" });
  expect(await files.upload(file, () => undefined, SIGNAL)).toEqual(INFO);
  expect(sent[0]).toMatchObject({
    url: "/api/v1/rooms/demo/files",
    headers: {
      Authorization: "Bearer old",
      "Content-Type": "image/png",
      "X-File-Name": "%E5%BC%A0%E4%B8%89%20%E5%BF%83%E8%B6%85.png",
    },
  });
});

test("a token that ended is renewed once", async () => {
  const { files, sent, renewals } = setUp([
    problem(401, "token_expired"),
    { status: 201, text: JSON.stringify(INFO) },
  ]);
  await files.upload(new File(["x"], "a"), () => undefined, SIGNAL);
  expect(renewals).toEqual([false, true]);
  expect(sent[1]?.headers["Authorization"]).toBe("Bearer new");
});

test.each<[UploadAnswer, ApiError]>([
  [problem(413, "too_large"), new ApiError(413, "too_large", "why")],
  [{ status: 413, text: "<html>nginx</html>" }, new ApiError(413, "too_large", "")],
  [{ status: 502, text: "" }, new ApiError(502, "error", "")],
])("%j is an error of its own", async (answer, error) => {
  const { files } = setUp([answer]);
  await expect(files.upload(new File(["x"], "a"), () => undefined, SIGNAL)).rejects.toEqual(error);
});

test("a picture keeps its type; whatever else came can neither run nor render", async () => {
  const { files, fetched } = setUp([
    new Response("png", { headers: { "Content-Type": "image/png" } }),
    new Response("<script>", { headers: { "Content-Type": "text/html" } }),
  ]);
  expect((await files.read(INFO)).type).toBe("image/png");
  expect((await files.read({ ...INFO, media_type: "text/html" })).type).toBe("application/octet-stream");
  expect(fetched[0]).toMatchObject({
    url: "/api/v1/rooms/demo/files/f_1",
    init: { headers: { Authorization: "Bearer old" }, credentials: "omit", cache: "no-store" },
  });
});

test("an upload that was stopped while the token was fetched sends nothing", async () => {
  const { files, sent } = setUp([]);
  const stop = new AbortController();
  const upload = files.upload(new File(["x"], "a"), () => undefined, stop.signal);
  stop.abort();
  await expect(upload).rejects.toThrow();
  expect(sent).toEqual([]);
});
