import type { Fetch } from "./http";
import type { SessionParts, TokenStorage } from "./session";

/** For tests: the REST API as far as signing in goes, and a browser's storage. */

export interface Asked {
  method: string;
  path: string;
  token: string | null;
  body: Record<string, unknown>;
}

export const problem = (status: number, code: string, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify({ status, code, detail: "why" }), { status, headers });

/** Refresh tokens change at every use. `answers` takes precedence, by path. */
export class FakeServer {
  asked: Asked[] = [];
  answers = new Map<string, () => Response | Promise<Response>>();
  refreshToken = "";
  accepts = "";
  /** So many requests find nobody. */
  loseAnswers = 0;
  role = "specialist";
  private next = 1;

  readonly fetch: Fetch = (url, init) => {
    const headers = init.headers as Record<string, string>;
    const asked: Asked = {
      method: init.method ?? "GET",
      path: url.replace("/api/v1", ""),
      token: headers["Authorization"]?.replace("Bearer ", "") ?? null,
      body: typeof init.body === "string" ? (JSON.parse(init.body) as Asked["body"]) : {},
    };
    this.asked.push(asked);
    if (this.loseAnswers > 0) {
      this.loseAnswers -= 1;
      return Promise.reject(new TypeError("Failed to fetch"));
    }
    return Promise.resolve(this.answers.get(asked.path)?.() ?? this.answer(asked));
  };

  paths(): string[] {
    return this.asked.map((one) => one.path);
  }

  tokens(more: object = {}): Response {
    this.accepts = `access-${this.next}`;
    this.refreshToken = `refresh-${this.next}`;
    this.next += 1;
    const tokens = { access_token: this.accepts, expires_in: 600, refresh_token: this.refreshToken };
    return Response.json({ ...tokens, ...more });
  }

  private answer({ path, token, body }: Asked): Response {
    if (path === "/auth/login")
      return body["password"] === "right" ? this.tokens() : problem(401, "wrong_credentials");
    if (path === "/auth/refresh") {
      return body["refresh_token"] === this.refreshToken ? this.tokens() : problem(401, "session_expired");
    }
    if (path === "/invitations/redeem") {
      return this.tokens({ room: "demo", consultation_id: "c_1", site: "County Hospital" });
    }
    if (path === "/auth/logout") return new Response(null, { status: 204 });
    if (token !== this.accepts) return problem(401, "token_expired");
    return Response.json(path === "/me" ? this.me() : []);
  }

  private me() {
    return {
      user_id: "u_1",
      username: "wang",
      display_name: "Dr Wang",
      role: this.role,
      organisation: "County Hospital",
    };
  }
}

export function fakeStorage(stored = new Map<string, string>()): TokenStorage & { stored: typeof stored } {
  return {
    stored,
    getItem: (key) => stored.get(key) ?? null,
    setItem: (key, value) => void stored.set(key, value),
    removeItem: (key) => void stored.delete(key),
  };
}

/** One tab of a browser whose shared storage is `shared`. */
export function fakeTab(server: FakeServer, shared = fakeStorage()): SessionParts & { tab: TokenStorage } {
  return { tab: fakeStorage(), shared, fetcher: server.fetch, now: () => 0, wallMs: () => 0 };
}
