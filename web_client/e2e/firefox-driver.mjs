// Firefox over WebDriver BiDi, for tests written in another language: one JSON request per line on stdin,
// one answer per line on stdout. When stdin ends, so does the browser.
//   node firefox-driver.mjs EXECUTABLE [PROFILE] [PREFERENCES]      a folder; more preferences, as JSON
//   {"id": 1, "do": "goto", "page": "p1", "url": "…", "within_ms": 30000}  →  {"id": 1, "value": …} or {"id": 1, "error": "…"}
import { createInterface } from "node:readline";
import puppeteer from "puppeteer-core";

const DEADLINE_MS = 30_000;
const PREFERENCES = {
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.autoplay.default": 0,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  // Nothing asks the network for updates, lists or experiments while a test runs.
  "app.normandy.enabled": false,
  "app.update.disabledForTesting": true,
  "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false,
  "datareporting.healthreport.uploadEnabled": false,
  "extensions.update.enabled": false,
  "media.gmp-manager.updateEnabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
};

const byTestId = (testid) => `[data-testid="${testid}"]`;
const pages = new Map();
const [executablePath, profile, preferences = "{}"] = process.argv.slice(2);
const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath,
  headless: true,
  protocolTimeout: 2 * DEADLINE_MS,
  extraPrefsFirefox: { ...PREFERENCES, ...JSON.parse(preferences) },
  ...(profile ? { userDataDir: profile } : {}),
});

function locator({ page, testid, selector }, withinMs) {
  return pages
    .get(page)
    .locator(selector ?? byTestId(testid))
    .setTimeout(withinMs);
}

/** What can be asked for; each gets the request and the milliseconds it may take. */
const actions = {
  version: () => browser.version(),
  async open({ page, width = 1440, height = 900, script }) {
    const context = await browser.createBrowserContext();
    const opened = await context.newPage();
    await opened.setViewport({ width, height });
    if (script !== undefined) await opened.evaluateOnNewDocument(script);
    pages.set(page, opened);
  },
  async close({ page }) {
    await pages.get(page).browserContext().close();
    pages.delete(page);
  },
  async goto({ page, url }, withinMs) {
    await pages.get(page).goto(url, { timeout: withinMs });
  },
  fill: (request, withinMs) => locator(request, withinMs).fill(request.value),
  click: (request, withinMs) => locator(request, withinMs).click(),
  /** Waits until it is there and visible. */
  see: async (request, withinMs) => {
    await locator(request, withinMs).setVisibility("visible").wait();
  },
  press: ({ page, key }) => pages.get(page).keyboard.press(key),
  text: ({ page, testid, selector }) =>
    pages
      .get(page)
      .$$eval(selector ?? byTestId(testid), (found) => found.map((element) => element.textContent)),
  evaluate: ({ page, expression }) => pages.get(page).evaluate(expression),
  async screenshot({ page, path }) {
    await pages.get(page).screenshot({ path });
  },
};

/** Rejects when `work` takes longer: a browser that hangs must not hang the tests. */
function within(milliseconds, work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`not within ${milliseconds} ms`));
    }, milliseconds + 1_000);
  });
  return Promise.race([work, late]).finally(() => {
    clearTimeout(timer);
  });
}

async function answer(line) {
  const request = JSON.parse(line);
  const withinMs = request.within_ms ?? DEADLINE_MS;
  try {
    const value = await within(withinMs, actions[request.do](request, withinMs));
    return { id: request.id, value: value ?? null };
  } catch (error) {
    return { id: request.id, error: `${request.do} ${request.testid ?? ""}: ${error.message}` };
  }
}

process.stdout.write(`${JSON.stringify({ id: 0, value: await browser.version() })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(line))}\n`);
}
await browser.close();
