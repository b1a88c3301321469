import { ApiError, callApi, type Call, type Fetch } from "./http";
import type { Tokens } from "./types";

/** The three methods of `Storage` this needs. */
export type TokenStorage = Pick<Storage, "getItem" | "setItem" | "removeItem">;

const REFRESH_KEY = "teleconsult.refresh";
/** The server takes a refresh token twice within 10 s, for answers that got lost: both tries must fit in there. */
const REFRESH_TIMEOUT_MS = 4_000;
/** Refresh when this share of the access token's life is over, before anything fails. */
const REFRESH_AT = 0.8;

const SIGNED_OUT = () => new ApiError(401, "signed_out", "");

/**
 * The tokens of one sign-in.
 *
 * They live in memory. Only while the page is hidden or being left, the refresh token is parked in
 * `sessionStorage`, so that a reload (or a browser that discards a tab in the background) does not ask for the
 * password again in the middle of a consultation. It dies with the tab, and the server can revoke it. A duplicated
 * tab finds nothing there: two tabs with one refresh token would look like theft to the server. No script of another
 * origin runs here (CSP), and a cookie would bring CSRF and be shared by everyone using this browser profile.
 */
export class TokenKeeper {
  private accessToken: string | null = null;
  private refreshToken: string | null = null;
  private refreshAfterMs = 0;
  private refreshing: Promise<void> | null = null;
  /** Counts sign-ins: an answer that was asked for under an earlier one is thrown away. */
  private generation = 0;

  constructor(
    private readonly storage: TokenStorage,
    private readonly fetcher: Fetch,
    private readonly now: () => number,
    /** The server ended the session; nothing is held any more. */
    private readonly onLost: (code: string) => void,
  ) {}

  get held(): boolean {
    return this.refreshToken !== null;
  }

  begin(tokens: Tokens): void {
    this.forget();
    this.keep(tokens);
  }

  /** The page is hidden or goes: keep what a reload needs. */
  park(): void {
    if (this.refreshToken !== null) this.storage.setItem(REFRESH_KEY, this.refreshToken);
  }

  /** The page is in front again. */
  unpark(): void {
    this.refreshToken ??= this.storage.getItem(REFRESH_KEY);
    this.storage.removeItem(REFRESH_KEY);
  }

  /** A call with the access token, renewed before where needed. */
  async request(path: string, call: Call): Promise<unknown> {
    const { generation } = this;
    if (this.now() >= this.refreshAfterMs) await this.refresh();
    try {
      return await this.callAs(generation, path, call);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401 || !isAboutToken(error.code)) throw error;
    }
    // Revoked or expired earlier than we thought: one more try with a new token.
    if (generation !== this.generation) throw SIGNED_OUT();
    await this.refresh();
    return this.callAs(generation, path, call);
  }

  /** A good access token, for who calls by themselves (a worker). `refused`: the last one was not taken. */
  async bearer(refused: boolean): Promise<string | null> {
    if (refused || this.now() >= this.refreshAfterMs) await this.refresh();
    return this.accessToken;
  }

  forget(): void {
    this.generation += 1;
    this.accessToken = null;
    this.refreshToken = null;
    this.refreshAfterMs = 0;
    this.refreshing = null;
    this.storage.removeItem(REFRESH_KEY);
  }

  /** Forgets at once; tells the server if it can be told. */
  end(): void {
    const { accessToken, refreshToken } = this;
    const fresh = this.now() < this.refreshAfterMs;
    this.forget();
    this.endAtServer(fresh ? accessToken : null, refreshToken).catch(() => undefined);
  }

  private callAs(generation: number, path: string, call: Call): Promise<unknown> {
    if (generation !== this.generation) throw SIGNED_OUT();
    return callApi(path, { ...call, token: this.accessToken }, this.fetcher);
  }

  /** One refresh at a time: the second of two would find its refresh token used up. */
  private refresh(): Promise<void> {
    if (this.refreshing !== null) return this.refreshing;
    const running = this.refreshNow().finally(() => {
      if (this.refreshing === running) this.refreshing = null;
    });
    this.refreshing = running;
    return running;
  }

  private async refreshNow(): Promise<void> {
    const { generation, refreshToken } = this;
    if (refreshToken === null) throw SIGNED_OUT();
    try {
      const tokens = await this.askTwice(refreshToken);
      // Signed out, or in as somebody else, while the answer was on its way.
      if (generation !== this.generation) throw SIGNED_OUT();
      this.keep(tokens);
    } catch (error) {
      if (generation === this.generation && error instanceof ApiError && !error.isTemporary) {
        this.forget();
        this.onLost(error.code);
      }
      throw error;
    }
  }

  private async askTwice(refreshToken: string): Promise<Tokens> {
    try {
      return await this.askForTokens(refreshToken);
    } catch (error) {
      // Perhaps only the answer was lost: ask again at once, while the server still takes the same token.
      if (error instanceof ApiError && error.status === 0) return this.askForTokens(refreshToken);
      throw error;
    }
  }

  private async askForTokens(refreshToken: string): Promise<Tokens> {
    const call: Call = {
      method: "POST",
      body: { refresh_token: refreshToken },
      timeoutMs: REFRESH_TIMEOUT_MS,
    };
    return (await callApi("/auth/refresh", call, this.fetcher)) as Tokens;
  }

  /** With an access token that has expired, the server would not listen: the session would live on there. */
  private async endAtServer(accessToken: string | null, refreshToken: string | null): Promise<void> {
    let token = accessToken;
    if (token === null && refreshToken !== null) token = (await this.askForTokens(refreshToken)).access_token;
    if (token !== null) await callApi("/auth/logout", { method: "POST", token }, this.fetcher);
  }

  private keep(tokens: Tokens): void {
    this.accessToken = tokens.access_token;
    this.refreshAfterMs = this.now() + tokens.expires_in * 1000 * REFRESH_AT;
    this.refreshToken = tokens.refresh_token;
    if (this.storage.getItem(REFRESH_KEY) !== null) this.park();
  }
}

/** A password asked for once more and typed wrong says nothing about the session. */
function isAboutToken(code: string): boolean {
  return code !== "wrong_credentials" && code !== "totp_required";
}
