// @vitest-environment happy-dom
import { expect, test, vi } from "vitest";
import { Fence } from "./Fence";
import { testPage } from "./testPage";

const page = testPage();

function Wrong(): never {
  throw new Error("a mistake of ours");
}

test("a page that fails is replaced by one that says so and how to go on", async () => {
  const told = vi.spyOn(console, "error").mockImplementation(() => undefined);
  await page.show(
    <Fence>
      <Wrong />
    </Fence>,
  );
  expect(document.querySelector('[data-testid="broken"]')?.textContent).toContain("Load it again");
  expect(told).toHaveBeenCalled();
  told.mockRestore();
});

test("a page that works is left alone", async () => {
  await page.show(<Fence>fine</Fence>);
  expect(document.body.textContent).toBe("fine");
});
