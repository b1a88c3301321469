// @vitest-environment happy-dom
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ApiError } from "../../api/http";
import type { Session } from "../../api/session";
import { LanguageChoice } from "../../i18n/language";
import { TextProvider } from "../../i18n/useText";
import { TakingPart } from "./TakingPart";

const CLINIC = { organisation_id: "o_clinic", name: "Clinic" };
const HOSPITAL = { organisation_id: "o_hospital", name: "Hospital" };
const CART = { device_id: "d_cart", name: "Cart", feeds: ["ultrasound"], disabled: false };
const OLD = { device_id: "d_old", name: "Old", feeds: [], disabled: true };

let root: Root;
let part: (typeof CLINIC)[];
let attached: (typeof CART)[];
let changes: string[];
let refusal: ApiError | null;

/** The service, as far as this part of the dialog uses it. */
const session = {
  request: (path: string, call: { method?: string; body?: Record<string, string> } = {}) => {
    if (call.method !== undefined) {
      changes.push(`${call.method} ${path} ${JSON.stringify(call.body ?? {})}`);
      if (refusal !== null) return Promise.reject(refusal);
      if (path.endsWith("/organisations")) part = [...part, HOSPITAL];
      else attached = call.method === "DELETE" ? [] : [CART];
      return Promise.resolve(null);
    }
    const answers: Record<string, unknown> = {
      "/organisations": [CLINIC, HOSPITAL],
      "/devices": [CART, OLD],
      "/consultations/c_1/organisations": part,
      "/consultations/c_1/devices": attached,
    };
    return Promise.resolve(answers[path]);
  },
} as unknown as Session;

beforeEach(() => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  document.body.innerHTML = '<div id="root"></div>';
  root = createRoot(document.getElementById("root") ?? document.body);
  [part, attached, changes, refusal] = [[CLINIC], [], [], null];
});
afterEach(() => {
  act(() => {
    root.unmount();
  });
  window.localStorage.clear();
  vi.unstubAllGlobals();
});

async function settled(): Promise<void> {
  await act(async () => {
    for (let n = 0; n < 20; n += 1) await Promise.resolve();
  });
}

async function show(language = "en"): Promise<void> {
  act(() => {
    root.render(
      <TextProvider choice={new LanguageChoice(window.localStorage, [language])}>
        <TakingPart session={session} consultationId="c_1" />
      </TextProvider>,
    );
  });
  await settled();
}

const button = (label: string) =>
  document.querySelector<HTMLButtonElement>(`button[aria-label="${label}"]`) ?? expect.fail(`no “${label}”`);

async function press(one: HTMLButtonElement): Promise<void> {
  act(() => {
    one.focus();
    one.click();
  });
  await settled();
}

test("another hospital takes part from now on, and the focus stays on its row", async () => {
  await show();
  await press(button("Let take part: Hospital"));
  expect(changes).toEqual(['POST /consultations/c_1/organisations {"organisation_id":"o_hospital"}']);
  const now = button("Hospital: takes part");
  expect(document.activeElement).toBe(now);
  expect(document.querySelector('[role="status"]')?.textContent).toBe("Hospital takes part now.");
  await press(now);
  expect(changes).toHaveLength(1);
});

test("the site itself takes part and is not asked for", async () => {
  await show();
  await press(button("Clinic: takes part"));
  expect(changes).toEqual([]);
});

test("a box is attached at once and detached after asking once", async () => {
  await show();
  await press(button("Attach Cart"));
  expect(changes).toEqual(['POST /consultations/c_1/devices {"device_id":"d_cart"}']);
  expect(document.activeElement).toBe(button("Detach Cart"));
  await press(button("Detach Cart"));
  expect(changes).toHaveLength(1);
  await press(document.querySelector('[data-testid="confirm"]') ?? expect.fail("not asked"));
  expect(changes.at(-1)).toBe("DELETE /consultations/c_1/devices/d_cart {}");
  expect(document.querySelector('[data-testid="ask"]')).toBeNull();
  expect(button("Attach Cart")).not.toBeNull();
});

test("a disabled box cannot be attached, and says why", async () => {
  await show();
  expect(document.querySelector('[aria-label="Attach Old"]')).toBeNull();
  expect(document.querySelector('[data-testid="boxes"]')?.textContent).toContain("Olddisabled");
});

test("what the service refuses is told in the reader's language", async () => {
  await show("zh");
  refusal = new ApiError(409, "consultation_closed", "this consultation is over");
  await press(button("邀请参与：Hospital"));
  expect(document.querySelector('[role="alert"]')?.textContent).toBe("操作未成功：会诊已结束。请重试。");
});

test("what cannot be loaded says so", async () => {
  const away = { request: () => Promise.reject(new ApiError(0, "offline", "")) } as unknown as Session;
  act(() => {
    root.render(
      <TextProvider choice={new LanguageChoice(window.localStorage, ["en"])}>
        <TakingPart session={away} consultationId="c_1" />
      </TextProvider>,
    );
  });
  await settled();
  expect(document.querySelector('[role="alert"]')?.textContent).toContain("cannot be loaded");
});
