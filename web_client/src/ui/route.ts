import { useSyncExternalStore } from "react";

/** Pages live behind `#`, so that any static server can serve them and a reload comes back to the same one. */
export type Route =
  | { page: "list" }
  | { page: "new" }
  | { page: "settings" }
  | { page: "room"; room: string }
  | { page: "site"; room: string }
  | { page: "replay"; consultation: string }
  | { page: "invite"; token: string | null }
  | { page: "unknown" };

const ROOM = /^#\/(room|site)\/([a-z0-9][a-z0-9-]{0,63})$/;
const REPLAY = /^#\/replay\/([A-Za-z0-9][A-Za-z0-9_-]{0,63})$/;
const INVITE = /^#\/invite(?:\/([A-Za-z0-9_.~-]{1,200})?)?$/;

export function readHash(hash: string): Route {
  if (hash === "" || hash === "#" || hash === "#/") return { page: "list" };
  if (hash === "#/new") return { page: "new" };
  if (hash === "#/settings") return { page: "settings" };
  const [, page, room] = ROOM.exec(hash) ?? [];
  if (room !== undefined) return { page: page === "site" ? "site" : "room", room };
  const [, consultation] = REPLAY.exec(hash) ?? [];
  if (consultation !== undefined) return { page: "replay", consultation };
  const invite = INVITE.exec(hash);
  if (invite) return { page: "invite", token: invite[1] ?? null };
  return { page: "unknown" };
}

export function hashOf(route: Exclude<Route, { page: "unknown" }>): string {
  switch (route.page) {
    case "list":
      return "#/";
    case "new":
    case "settings":
      return `#/${route.page}`;
    case "room":
    case "site":
      return `#/${route.page}/${route.room}`;
    case "replay":
      return `#/replay/${route.consultation}`;
    case "invite":
      return "#/invite";
  }
}

export function goTo(route: Exclude<Route, { page: "unknown" }>): void {
  window.location.hash = hashOf(route);
}

/** As `goTo`, but *Back* does not return to the page left now. */
export function replaceWith(route: Exclude<Route, { page: "unknown" }>): void {
  window.location.replace(hashOf(route));
}

function subscribe(listener: () => void): () => void {
  window.addEventListener("hashchange", listener);
  return () => {
    window.removeEventListener("hashchange", listener);
  };
}

const readHashNow = () => window.location.hash;

export function useRoute(): Route {
  return readHash(useSyncExternalStore(subscribe, readHashNow));
}
