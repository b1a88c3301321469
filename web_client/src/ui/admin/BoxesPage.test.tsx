// @vitest-environment happy-dom
import { beforeEach, expect, test } from "vitest";
import { FakeServer, fakeTab, problem } from "../../api/fakeServer";
import { Session } from "../../api/session";
import { at, find, press, testPage, type, wordsOf } from "../testPage";
import { BoxesPage } from "./BoxesPage";

const page = testPage();
let server: FakeServer;
let session: Session;

const ME = {
  user_id: "u_1",
  username: "root",
  display_name: "Root",
  role: "admin",
  organisation: "",
} as const;
const BOX = {
  device_id: "d_1",
  name: "Theatre 3",
  feeds: ["scope", "room"],
  disabled: false,
  enrolment: "enrolled",
  online: true,
  health: {
    feeds: [
      { feed: "scope", signal: "ok", flowing: true, sent: true, frames_per_s: 29.9, uplink_bps: 7.4e6 },
    ],
    temperature_c: 61.4,
    clock_off_ms: -612,
    buffer_bytes: 12 << 20,
    version: "1.2",
  },
  health_at_us: 1,
  troubles: ["clock_off"],
};
const CODE = { device_id: "d_1", code: "7KQ2-M9XD-04TB", expires_at_us: 1, qr_svg: "<svg/>" };

beforeEach(async () => {
  server = new FakeServer();
  server.role = "admin";
  server.answers.set("/devices", () => Response.json([BOX]));
  session = new Session(fakeTab(server));
  await session.signIn("root", "right");
});

const show = () => page.show(<BoxesPage session={session} me={ME} onSignOut={() => undefined} />);
const asked = (path: string) => server.asked.filter((one) => one.path === path).at(-1);

test("a box is shown with what it says of itself", async () => {
  await show();
  const words = wordsOf('[data-testid="box-d_1"]');
  for (const part of ["Theatre 3", "scope, room", "enrolled", "connected", "29.9/s", "7.4 Mbit/s", "61 °C"])
    expect(words).toContain(part);
  for (const part of ["12 MiB", "1.2", "The clock is wrong."]) expect(words).toContain(part);
});

test("what a box said before it went away is not shown as if it were so now", async () => {
  server.answers.set("/devices", () => Response.json([{ ...BOX, online: false, troubles: [] }]));
  await show();
  expect(wordsOf('[data-testid="box-d_1"]')).toContain("not connected");
  expect(wordsOf('[data-testid="box-d_1"]')).not.toContain("61 °C");
});

test("a new code is shown as the command to type, and as a picture from the server", async () => {
  server.answers.set("/devices/d_1/code", () => Response.json(CODE));
  await show();
  await press("box-code");
  expect(at("code").textContent).toContain("teleconsult edge enroll 7KQ2-M9XD-04TB --server http");
  expect(at("code-picture").getAttribute("src")).toBe("data:image/svg+xml,%3Csvg%2F%3E");
});

test("a box is added with its feeds, however they are separated", async () => {
  await show();
  server.answers.set("/devices", () => Response.json(server.asked.at(-1)?.method === "POST" ? CODE : [BOX]));
  await type("box-name", " Cart ");
  await type("box-feeds", "scope, room，ultrasound");
  await press("box-add");
  expect(server.asked.find((one) => one.method === "POST" && one.path === "/devices")?.body).toEqual({
    name: "Cart",
    feeds: ["scope", "room", "ultrasound"],
  });
  expect(at("code").textContent).toContain(CODE.code);
});

test("shutting a box out is asked once, and a refusal is said", async () => {
  server.answers.set("/devices/d_1/revoke", () => problem(404, "device_not_found"));
  await show();
  await press("box-revoke");
  expect(asked("/devices/d_1/revoke")).toBeUndefined();
  expect(wordsOf('[data-testid="ask"]')).toContain("Shut out Theatre 3?");
  await press("confirm");
  expect(asked("/devices/d_1/revoke")?.method).toBe("POST");
  expect(wordsOf('[data-testid="ask"] [role="alert"]')).toContain("did not work");
  server.answers.set("/devices/d_1/revoke", () => new Response(null, { status: 204 }));
  await press("confirm");
  expect(find("ask")).toBeNull();
});
