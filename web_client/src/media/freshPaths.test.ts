import { expect, test } from "vitest";
import { FreshPaths } from "./freshPaths";

/** What Chromium gives its direct ways: UDP, TCP, found by STUN. A relay's is below anything a server has. */
const OWN = [126, 90, 100].map((preference) => preference * 2 ** 24);

function description(ufrag: string, ...priorities: number[]): string {
  const lines = priorities.map(
    (priority, index) =>
      `a=candidate:${String(index)} 1 udp ${String(priority)} 192.0.2.1 8443 typ host ufrag x`,
  );
  return ["v=0", "m=audio 9 RTP/AVP 0", `a=ice-ufrag:${ufrag}`, ...lines, "a=end-of-candidates", ""].join(
    "\r\n",
  );
}

const read = (sdp: string) =>
  [...sdp.matchAll(/^a=candidate:\S+ \d+ udp (\d+) .* network-cost (\d+)\r$/gm)].map(
    ([, priority, cost]) => ({ priority: Number(priority), cost: Number(cost) }),
  );

test("every way found after a restart precedes every one from before it, and none is above a browser's own", () => {
  const paths = new FreshPaths();
  let before = { priority: 0, cost: 999 };
  for (let restart = 0; restart < 50; restart += 1) {
    const found = read(paths.ranked(description(`u${String(restart)}`, 2_130_706_431, 1_520_435_199)));
    expect(found).toHaveLength(2);
    for (const one of found) {
      expect(one.priority).toBeGreaterThan(before.priority);
      expect(one.priority).toBeLessThan(Math.min(...OWN));
      expect(one.cost).toBeLessThanOrEqual(before.cost);
    }
    before = found[0] ?? before;
  }
});

test("among the ways of one description the server's order stays", () => {
  const found = read(new FreshPaths().ranked(description("u", 1_520_435_199, 2_130_706_431, 2_130_706_175)));
  const [tcp, first, second] = found.map(({ priority }) => priority);
  expect([tcp, second, first]).toEqual([tcp, second, first].sort((a, b) => (a ?? 0) - (b ?? 0)));
  expect(new Set([tcp, first, second]).size).toBe(3);
});

test("a description without a restart says the same again", () => {
  const paths = new FreshPaths();
  const first = paths.ranked(description("u", 2_130_706_431));
  expect(paths.ranked(description("u", 2_130_706_431))).toBe(first);
});

test("after a restart a costly network is not held back by what a free one had cost", () => {
  const paths = new FreshPaths();
  const costs = ["before", "after"].map((ufrag) => read(paths.ranked(description(ufrag, 7)))[0]?.cost ?? 0);
  expect((costs[0] ?? 0) - (costs[1] ?? 0)).toBeGreaterThan(900);
});

test("nothing but the candidates changes", () => {
  const given = description("u", 5);
  const changed = new FreshPaths().ranked(given).replace(/^(a=candidate:.*) network-cost 999/m, "$1");
  expect(changed.replace(/udp \d+ /, "udp 5 ")).toBe(given);
  expect(new FreshPaths().ranked("audio:0")).toBe("audio:0");
});
