// @vitest-environment happy-dom
import { beforeEach, expect, test, vi } from "vitest";
import { FakeServer, fakeTab, problem } from "../../api/fakeServer";
import { Session } from "../../api/session";
import type { Me } from "../../api/types";
import { meOf } from "../testData";
import { at, find, press, settle, testPage, type, wordsOf } from "../testPage";
import { SettingsPage } from "./SettingsPage";
import { checkPassword } from "./password";

// It has tests of its own, and needs a real browser's devices.
vi.mock("../devices/DeviceSettings", () => ({
  DeviceSettings: () => <div data-testid="device-settings" />,
}));

const page = testPage();
let server: FakeServer;
let session: Session;

beforeEach(async () => {
  server = new FakeServer();
  server.answers.set("/auth/password", () => new Response(null, { status: 204 }));
  server.answers.set("/auth/logout-others", () => new Response(null, { status: 204 }));
  session = new Session(fakeTab(server));
  await session.signIn("wang", "right");
});

const show = (role: Me["role"] = "specialist") =>
  page.show(<SettingsPage session={session} me={meOf(role)} onSignOut={() => undefined} />);

async function change(old: string, fresh: string, repeated = fresh): Promise<void> {
  await type("old-password", old);
  await type("new-password", fresh);
  await type("repeated-password", repeated);
  await press("change-password");
}

test("the page says who one is", async () => {
  await show();
  expect(wordsOf(".facts-list")).toBe("NameDr WangUser namewangRoleSpecialistOrganisationCounty Hospital");
});

test("devices are for those who enter rooms", async () => {
  await show();
  expect(find("device-settings")).not.toBeNull();
  await show("auditor");
  expect(find("device-settings")).toBeNull();
});

test("the language changes at once", async () => {
  await show();
  await settle(() => document.querySelector<HTMLInputElement>('input[value="zh-CN"]')?.click());
  expect(wordsOf("h1")).toBe("设置");
});

test("a password is changed, and typed away", async () => {
  await show();
  await change("old password", "new password");
  expect(server.asked.at(-1)).toMatchObject({
    path: "/auth/password",
    body: { password: "old password", new_password: "new password" },
  });
  expect(wordsOf(".done")).toContain("You are signed out everywhere else.");
  expect((at("new-password") as HTMLInputElement).value).toBe("");
});

test.each<[string, () => Response]>([
  ["The present password is wrong. Try again.", () => problem(403, "wrong_credentials")],
  ["The new password is the old one. Choose another.", () => problem(422, "same_password")],
  ["The service does not take this password. Choose another one.", () => problem(422, "bad_password")],
  ["Too many attempts. Wait a moment, then try again.", () => problem(429, "too_many_attempts")],
  ["The service cannot be reached. Check the network, then try again.", () => problem(503, "unavailable")],
])("%s", async (words, answer) => {
  server.answers.set("/auth/password", answer);
  await show();
  await change("old password", "new password");
  expect(wordsOf("#password-problem")).toBe(words);
  expect((at("new-password") as HTMLInputElement).value).toBe("new password");
});

test.each([
  ["", "new password", "new password", "missing"],
  ["old password", "", "", "missing"],
  ["old password", "1234567", "1234567", "short"],
  ["old password", "old password", "old password", "same"],
  ["old password", "new password", "new passwrod", "different"],
  ["old password", "八个字的新密码啊", "八个字的新密码啊", null],
])("%j → %j, %j: %s", (old, fresh, repeated, trouble) => {
  expect(checkPassword(old, fresh, repeated)).toBe(trouble);
});

test("password managers know whose password it is, and which is new", async () => {
  await show();
  const hints = [...document.querySelectorAll("form input")].map((input) =>
    input.getAttribute("autocomplete"),
  );
  expect(hints).toEqual(["username", "current-password", "new-password", "new-password"]);
});

test("sign-ins elsewhere are ended, and it is said whether that worked", async () => {
  await show();
  await press("sign-out-elsewhere");
  expect(server.asked.at(-1)).toMatchObject({ method: "POST", path: "/auth/logout-others" });
  expect(wordsOf("main")).toContain("You are signed in here only.");
  server.answers.set("/auth/logout-others", () => problem(503, "unavailable"));
  await press("sign-out-elsewhere");
  expect(wordsOf("main")).toContain("This did not work.");
});
