import { Store } from "../room/store";
import { ApiError, callApi, type Call, type Fetch } from "./http";
import { SignOutNotes } from "./signOutNotes";
import { TokenKeeper, type TokenStorage } from "./tokenKeeper";
import type { JoinedRoom, Me, Redeemed, Tokens } from "./types";

export type { Consultation, JoinedRoom, Me } from "./types";
export type { TokenStorage } from "./tokenKeeper";

/** What a guest's invitation opened. */
export interface Visit {
  room: string;
  consultation_id: string;
  site: string;
}

/** Why nobody is signed in; null: nobody was, in this tab. */
export type SignedOutWhy = "left" | "expired" | "reused" | "closed" | "other-tab" | "copied" | null;

export type Account =
  /** `unreachable`: the server did not answer; `restore` is to be tried again. */
  | { phase: "restoring"; unreachable: boolean }
  /** `visit`: who was here came by an invitation and has no password to sign in with. */
  | { phase: "signed-out"; why: SignedOutWhy; visit: Visit | null }
  | { phase: "in"; me: Me; visit: Visit | null };

export interface SessionParts {
  /** This tab's storage. */
  tab: TokenStorage;
  /** Storage shared by all tabs of this browser. */
  shared: TokenStorage;
  fetcher?: Fetch;
  /** Monotonic, ms. */
  now?: () => number;
  /** Unix ms. */
  wallMs?: () => number;
  /** The page is in the background, where the browser may discard it without a word. */
  hidden?: () => boolean;
  /** Resolves to false when another tab has this session: this one is a copy of it. */
  claim?: (name: string) => Promise<boolean>;
}

const VISIT_KEY = "teleconsult.guest";
const SESSION_NAME_KEY = "teleconsult.session";

/** Who uses this tab: signs in and out, goes on after a reload, and makes the signed-in person's calls. */
export class Session {
  readonly account: Store<Account>;
  private readonly tokens: TokenKeeper;
  private readonly notes: SignOutNotes;
  private readonly tab: TokenStorage;
  private readonly fetcher: Fetch;
  private readonly claim: (name: string) => Promise<boolean>;
  private readonly hidden: () => boolean;
  private redeeming: { token: string; secret: string } | null = null;

  constructor(parts: SessionParts) {
    this.tab = parts.tab;
    this.fetcher = parts.fetcher ?? ((url, init) => fetch(url, init));
    this.claim = parts.claim ?? (() => Promise.resolve(true));
    this.hidden = parts.hidden ?? (() => false);
    this.notes = new SignOutNotes(parts.tab, parts.shared, parts.wallMs ?? (() => Date.now()));
    this.account = new Store<Account>({ phase: "restoring", unreachable: false });
    this.tokens = new TokenKeeper(parts.tab, this.fetcher, parts.now ?? (() => performance.now()), (code) => {
      this.showOut(whyOf(code));
    });
  }

  /** `code`: of the second factor. Throws `ApiError` when the server does not let this person in. */
  async signIn(username: string, password: string, code?: string): Promise<void> {
    const body = code === undefined ? { username, password } : { username, password, code };
    const tokens = (await callApi("/auth/login", { method: "POST", body }, this.fetcher)) as Tokens;
    await this.begin(tokens, null);
  }

  /** Enter by an invitation. Its token is good once: what it was exchanged for is kept, whatever happens next. */
  async redeem(token: string, name: string): Promise<Visit> {
    const proof = { token, client_secret: this.secretFor(token) };
    const body = name === "" ? proof : { ...proof, name };
    const call: Call = { method: "POST", body };
    const redeemed = (await callApi("/invitations/redeem", call, this.fetcher)) as Redeemed;
    const { room, consultation_id, site } = redeemed;
    const visit = { room, consultation_id, site };
    // Whoever used this tab before leaves it now.
    if (this.tokens.held) this.tokens.end();
    await this.begin(redeemed, visit);
    return visit;
  }

  /** The same for every try with one invitation: if an answer is lost, the next try is known to be ours. */
  private secretFor(token: string): string {
    if (this.redeeming?.token !== token) {
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      const secret = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
      this.redeeming = { token, secret };
    }
    return this.redeeming.secret;
  }

  /** Go on after a reload, or after the server was out of reach. The result is in `account`. */
  async restore(): Promise<void> {
    this.tokens.unpark();
    if (!this.tokens.held) {
      this.showOut(null);
      return;
    }
    const name = this.tab.getItem(SESSION_NAME_KEY);
    if (name !== null && !(await this.claim(name))) {
      this.tokens.forget();
      this.showOut("copied");
      return;
    }
    if (this.hidden()) this.tokens.park();
    await this.learnWhoIAm();
  }

  /** Forgets at once, here and in this person's other tabs; tells the server if it can be told. */
  signOut(): void {
    const account = this.account.get();
    if (account.phase === "in") this.notes.leave(account.me.user_id);
    this.end("left");
  }

  /** Another tab wrote to the shared storage: did this person sign out there? */
  heed(): void {
    const account = this.account.get();
    if (account.phase === "in" && this.notes.hasLeft(account.me.user_id)) this.end("other-tab");
  }

  /** Somebody with an account wants this tab, after a guest was here. */
  forgetVisit(): void {
    this.tab.removeItem(VISIT_KEY);
    if (!this.tokens.held) this.showOut(null);
  }

  park(): void {
    this.tokens.park();
  }

  unpark(): void {
    this.tokens.unpark();
  }

  /** A call of the signed-in person, with a good token. Throws `ApiError`. */
  async request<Answer>(path: string, call: Call = {}): Promise<Answer> {
    return (await this.tokens.request(path, call)) as Answer;
  }

  /** An access token for the replay's workers, which call the service by themselves; null when signed out. */
  bearer(refused: boolean): Promise<string | null> {
    return this.tokens.bearer(refused);
  }

  join(room: string): Promise<JoinedRoom> {
    return this.request(`/rooms/${encodeURIComponent(room)}/join`, { method: "POST", body: {} });
  }

  private async begin(tokens: Tokens, visit: Visit | null): Promise<void> {
    this.tokens.begin(tokens);
    this.notes.enter();
    const name = newName();
    this.tab.setItem(SESSION_NAME_KEY, name);
    if (visit === null) this.tab.removeItem(VISIT_KEY);
    else this.tab.setItem(VISIT_KEY, JSON.stringify(visit));
    await this.claim(name);
    await this.learnWhoIAm();
  }

  private async learnWhoIAm(): Promise<void> {
    try {
      const me = await this.request<Me>("/me");
      this.account.set({ phase: "in", me, visit: this.visit() });
      this.heed();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.isTemporary && this.tokens.held) this.account.set({ phase: "restoring", unreachable: true });
      else if (this.tokens.held) this.end("expired");
    }
  }

  private end(why: SignedOutWhy): void {
    this.tokens.end();
    this.showOut(why);
  }

  private showOut(why: SignedOutWhy): void {
    this.account.set({ phase: "signed-out", why, visit: this.visit() });
  }

  private visit(): Visit | null {
    try {
      return JSON.parse(this.tab.getItem(VISIT_KEY) ?? "null") as Visit | null;
    } catch {
      return null;
    }
  }
}

/** No secret; `crypto.randomUUID` would need an encrypted page. */
function newName(): string {
  return [...crypto.getRandomValues(new Uint32Array(3))].map((word) => word.toString(36)).join("-");
}

/** `code`: why the server does not renew the session (`core/sessions.py`). */
function whyOf(code: string): SignedOutWhy {
  if (code === "refresh_token_reused") return "reused";
  if (code === "account_closed") return "closed";
  return code === "signed_out" ? null : "expired";
}
