// @vitest-environment happy-dom
import { expect, test } from "vitest";
import { at, settle, testPage } from "../ui/testPage";
import { Anchors } from "./Anchors";
import { Toolbox } from "./toolbox";

const page = testPage();

const press = (anchor: string) =>
  settle(() => {
    at(`anchor-${anchor}`).click();
  });

test("what drawings stay with is chosen by buttons that say what it means", async () => {
  const toolbox = new Toolbox();
  await page.show(<Anchors toolbox={toolbox} follows />);
  expect(at("anchor-screen").getAttribute("aria-pressed")).toBe("true");
  await press("tissue");
  expect(toolbox.store.get().anchor).toBe("tissue");
  expect(at("anchor-tissue").getAttribute("aria-pressed")).toBe("true");
  expect(at("anchor-tissue").title).toBe("Moves with the tissue");
});

test("where nobody follows the tissue that cannot be chosen, and says why", async () => {
  const toolbox = new Toolbox();
  await page.show(<Anchors toolbox={toolbox} follows={false} />);
  await press("tissue");
  expect(toolbox.store.get().anchor).toBe("screen");
  expect(at("anchor-tissue").getAttribute("aria-disabled")).toBe("true");
  expect(at("anchor-tissue").title).toContain("No capture box");
});
