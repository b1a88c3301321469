import { act, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, vi } from "vitest";
import { LanguageChoice } from "../i18n/language";
import { TextProvider } from "../i18n/useText";

/** For tests: one page on screen, in English, and a person's hands. Call once per test file. */
export function testPage() {
  let root: Root;
  beforeEach(() => {
    vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
    window.localStorage.clear();
    window.sessionStorage.clear();
    window.location.hash = "";
    document.body.innerHTML = '<div id="root"></div>';
    root = createRoot(document.getElementById("root") ?? document.body);
  });
  afterEach(() => {
    act(() => {
      root.unmount();
    });
    vi.unstubAllGlobals();
  });
  return {
    show: async (page: ReactNode) => {
      await settle(() => {
        root.render(
          <TextProvider choice={new LanguageChoice(window.localStorage, ["en"])}>{page}</TextProvider>,
        );
      });
    },
  };
}

/** Does something, and lets everything happen that follows from it. */
export async function settle(doing: () => void = () => undefined): Promise<void> {
  await act(async () => {
    doing();
    // Answers of a fake server take a few turns of the event loop.
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setTimeout(resolve, 0));
  });
}

export const find = (id: string) => document.querySelector<HTMLElement>(`[data-testid="${id}"]`);
export const at = (id: string) => find(id) ?? expect.fail(`no ${id}`);
export const wordsOf = (selector: string) => document.querySelector(selector)?.textContent ?? "";

/** Types as a person does: React hears about it. */
export async function type(id: string, value: string): Promise<void> {
  const field = at(id) as HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;
  const prototype = Object.getPrototypeOf(field) as object;
  await settle(() => {
    // React looks at the element's own property to tell what it wrote itself from what a person typed.
    Object.getOwnPropertyDescriptor(prototype, "value")?.set?.call(field, value);
    field.dispatchEvent(
      new Event(field instanceof HTMLSelectElement ? "change" : "input", { bubbles: true }),
    );
  });
}

export async function press(id: string): Promise<void> {
  await settle(() => {
    at(id).click();
  });
}
