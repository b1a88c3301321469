// @vitest-environment happy-dom
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ApiError } from "../api/http";
import type { Me, Session } from "../api/session";
import { LanguageChoice } from "../i18n/language";
import { TextProvider } from "../i18n/useText";
import { SignInPage } from "./SignInPage";

const ME: Me = {
  user_id: "u",
  username: "wang",
  display_name: "Dr Wang",
  role: "specialist",
  organisation: "",
};
let root: Root;
let signedIn: Me[];

beforeEach(() => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  document.body.innerHTML = '<div id="root"></div>';
  root = createRoot(document.getElementById("root") ?? document.body);
  signedIn = [];
});
afterEach(() => {
  act(() => {
    root.unmount();
  });
});

const at = (id: string) =>
  document.querySelector<HTMLInputElement>(`[data-testid="${id}"]`) ?? expect.fail(`no ${id}`);

function show(signIn: (username: string, password: string) => Promise<Me>): void {
  const session = { signIn } as unknown as Session;
  const choice = new LanguageChoice(window.localStorage, ["en"]);
  act(() => {
    root.render(
      <TextProvider choice={choice}>
        <SignInPage session={session} onSignedIn={(me) => signedIn.push(me)} />
      </TextProvider>,
    );
  });
}

async function submit(username: string, password: string): Promise<string> {
  at("username").value = username;
  at("password").value = password;
  await act(async () => {
    at("sign-in").click();
    await Promise.resolve();
  });
  return document.querySelector('[role="alert"]')?.textContent ?? "";
}

test("the right words open the door", async () => {
  const asked: string[][] = [];
  show((...credentials) => {
    asked.push(credentials);
    return Promise.resolve(ME);
  });
  expect(await submit(" wang ", "right")).toBe("");
  expect(asked).toEqual([["wang", "right"]]);
  expect(signedIn).toEqual([ME]);
});

test.each<[string, ApiError]>([
  ["User name or password is wrong. Try again.", new ApiError(401, "wrong_credentials", "")],
  ["Too many attempts. Wait a minute, then try again.", new ApiError(429, "too_many_attempts", "")],
  ["The service cannot be reached. Check the network, then try again.", new ApiError(0, "offline", "")],
])("%s", async (words, error) => {
  show(() => Promise.reject(error));
  expect(await submit("wang", "x")).toBe(words);
  expect(signedIn).toEqual([]);
});

test("empty fields are said before anything is sent", async () => {
  show(() => expect.fail("asked the server"));
  expect(await submit("", "")).toBe("Enter your user name and your password.");
});

test("the page changes language in place", () => {
  show(() => Promise.resolve(ME));
  act(() => {
    at("language").click();
  });
  expect(at("sign-in").textContent).toBe("登录");
  expect(document.documentElement.lang).toBe("zh-CN");
});
