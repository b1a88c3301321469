// @vitest-environment happy-dom
import { beforeEach, expect, test, vi } from "vitest";
import { FakeServer, fakeTab, problem } from "../api/fakeServer";
import { Session } from "../api/session";
import { SignInPage } from "./SignInPage";
import { at, find, press, settle, testPage, type, wordsOf } from "./testPage";

const page = testPage();
let server: FakeServer;
let session: Session;

beforeEach(async () => {
  server = new FakeServer();
  session = new Session(fakeTab(server));
  await page.show(<SignInPage session={session} why={null} returning={false} />);
});

async function submit(username: string, password: string): Promise<string> {
  await type("username", username);
  await type("password", password);
  await press("sign-in");
  return wordsOf('[role="alert"]');
}

test("the right words open the door", async () => {
  expect(await submit(" wang ", "right")).toBe("");
  expect(server.asked[0]?.body).toEqual({ username: "wang", password: "right" });
  expect(session.account.get().phase).toBe("in");
});

test.each<[string, () => Response]>([
  ["User name or password is wrong. Try again.", () => problem(401, "wrong_credentials")],
  ["The service cannot be reached. Check the network, then try again.", () => problem(503, "unavailable")],
  ["This account is closed. Ask your administrator.", () => problem(401, "account_closed")],
  [
    "This role needs a second factor, and the account has none yet. Ask your administrator to set it up.",
    () => problem(403, "totp_not_set_up"),
  ],
])("%s", async (words, answer) => {
  server.answers.set("/auth/login", answer);
  expect(await submit("wang", "x")).toBe(words);
  expect(session.account.get().phase).not.toBe("in");
});

test("empty fields are said before anything is sent", async () => {
  expect(await submit("", "")).toBe("Enter your user name and your password.");
  expect(server.asked).toEqual([]);
});

test("too many attempts: the seconds are counted down, and nothing is sent meanwhile", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  try {
    server.answers.set("/auth/login", () => problem(429, "too_many_attempts", { "Retry-After": "12" }));
    expect(await submit("wang", "x")).toBe("Too many attempts. Wait a moment, then try again.");
    expect(at("throttled-for").textContent).toBe("You can try again in 12 s.");
    expect((at("sign-in") as HTMLButtonElement).disabled).toBe(true);
    await settle(() => vi.advanceTimersByTime(5_000));
    expect(at("throttled-for").textContent).toBe("You can try again in 7 s.");
    await settle(() => vi.advanceTimersByTime(7_300));
    expect(at("throttled-for").textContent).toBe("You can try again now.");
    expect((at("sign-in") as HTMLButtonElement).disabled).toBe(false);
  } finally {
    vi.useRealTimers();
  }
});

test("a second factor is asked for when it is needed, with the password kept and the focus on it", async () => {
  server.answers.set("/auth/login", () => problem(401, "totp_required"));
  expect(find("totp-code")).toBeNull();
  expect(await submit("wang", "right")).toBe("");
  const field = at("totp-code") as HTMLInputElement;
  expect(document.activeElement).toBe(field);
  expect([field.inputMode, field.autocomplete]).toEqual(["numeric", "one-time-code"]);
  await press("sign-in");
  expect(wordsOf('[role="alert"]')).toBe("Enter the code your authenticator app shows.");

  server.answers.set("/auth/login", () => problem(401, "wrong_credentials"));
  await type("totp-code", "000 000");
  await press("sign-in");
  expect(wordsOf('[role="alert"]')).toContain("Password or code is wrong.");
  expect(server.asked.at(-1)?.body).toEqual({ username: "wang", password: "right", code: "000000" });

  server.answers.clear();
  await type("totp-code", "123456");
  await press("sign-in");
  expect(session.account.get().phase).toBe("in");
});

test("the password can be shown, and a password manager finds its way", async () => {
  const field = at("password") as HTMLInputElement;
  expect([field.type, field.autocomplete]).toEqual(["password", "current-password"]);
  await settle(() => document.querySelector<HTMLButtonElement>(".password-field button")?.click());
  expect(field.type).toBe("text");
  expect((at("username") as HTMLInputElement).autocomplete).toBe("username");
});

test("caps lock is pointed out", async () => {
  const press = (on: boolean) => {
    const event = new KeyboardEvent("keydown", { key: "A", bubbles: true });
    Object.defineProperty(event, "getModifierState", { value: (key: string) => on && key === "CapsLock" });
    return settle(() => at("password").dispatchEvent(event));
  };
  await press(true);
  expect(wordsOf("#caps-lock")).toBe("Caps Lock is on.");
  await press(false);
  expect(wordsOf("#caps-lock")).toBe("");
});

test("who was signed out is told why, and that it goes on where it ended", async () => {
  await page.show(<SignInPage session={session} why="expired" returning />);
  expect(at("signed-out-why").textContent).toBe(
    "Your sign-in has ended. Sign in again to go on. You come back to where you were.",
  );
});

test("the page changes language in place", async () => {
  await press("language");
  expect(at("sign-in").textContent).toBe("登录");
  expect(document.documentElement.lang).toBe("zh-CN");
});
