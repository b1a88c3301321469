import { expect, test } from "vitest";
import { hashOf, readHash, type Route } from "./route";

const ROUTES: [string, Exclude<Route, { page: "unknown" }>][] = [
  ["#/", { page: "list" }],
  ["#/new", { page: "new" }],
  ["#/settings", { page: "settings" }],
  ["#/replay/c_01m80zq9nykyz7mjc4vwr0xjde", { page: "replay", consultation: "c_01m80zq9nykyz7mjc4vwr0xjde" }],
  ["#/room/us-20417", { page: "room", room: "us-20417" }],
  ["#/site/us-20417", { page: "site", room: "us-20417" }],
];

test.each(ROUTES)("%s leads to %j, and back", (hash, route) => {
  expect(readHash(hash)).toEqual(route);
  expect(hashOf(route)).toBe(hash);
});

test.each(["", "#"])("%j is the list", (hash) => {
  expect(readHash(hash)).toEqual({ page: "list" });
});

test("an invitation's token is read from the address, and never written into one", () => {
  expect(readHash("#/invite/aB3-_x")).toEqual({ page: "invite", token: "aB3-_x" });
  expect(readHash("#/invite")).toEqual({ page: "invite", token: null });
  expect(readHash("#/invite/")).toEqual({ page: "invite", token: null });
  expect(hashOf({ page: "invite", token: "aB3-_x" })).toBe("#/invite");
});

test.each([
  "#/room/",
  "#/room/UP",
  "#/room/a/b",
  "#/room/%2e%2e",
  "#/room/-a",
  "#/site/",
  "#/invite/a/b",
  "#/invite/<script>",
  "#/news",
  "#elsewhere",
])("%s leads nowhere", (hash) => {
  expect(readHash(hash)).toEqual({ page: "unknown" });
});
