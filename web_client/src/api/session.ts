import type { ConsultationInfo, Participant } from "../protocol/messages";
import { ApiError, callApi, type Call, type Fetch } from "./http";

export interface Me {
  user_id: string;
  username: string;
  display_name: string;
  role: Participant["role"];
  organisation: string;
}

/** An open consultation the signed-in person may see. */
export interface Consultation {
  consultation_id: string;
  room: string;
  header: ConsultationInfo["header"];
  state: string;
  record: boolean;
  opened_at_us: number | null;
}

export interface JoinedRoom {
  token: string;
  expires_in: number;
  room: string;
  consultation_id: string;
  ws_url: string;
}

interface Tokens {
  access_token: string;
  expires_in: number;
  refresh_token: string;
}

/** The three methods of `Storage` this needs. */
export type TokenStorage = Pick<Storage, "getItem" | "setItem" | "removeItem">;

const REFRESH_KEY = "teleconsult.refresh";
/** The server takes a refresh token twice within 10 s, for answers that got lost: both tries must fit in there. */
const REFRESH_TIMEOUT_MS = 4_000;
/** Refresh when this share of the access token's life is over, before anything fails. */
const REFRESH_AT = 0.8;

/**
 * Who is signed in.
 *
 * Tokens live in memory. Only while the page is hidden or being left, the refresh token is parked in
 * `sessionStorage`, so that a reload (or a browser that discards a tab in the background) does not ask for the
 * password again in the middle of a consultation. It dies with the tab, and the server can revoke it. A duplicated
 * tab finds nothing there: two tabs with one refresh token would look like theft to the server. No script of another
 * origin runs here (CSP), and a cookie would bring CSRF and be shared by everyone using this browser profile.
 */
export class Session {
  private accessToken: string | null = null;
  private refreshToken: string | null = null;
  private refreshAfterMs = 0;
  private refreshing: Promise<void> | null = null;

  constructor(
    private readonly storage: TokenStorage,
    private readonly fetcher: Fetch = (url, init) => fetch(url, init),
    private readonly now: () => number = () => performance.now(),
  ) {}

  async signIn(username: string, password: string): Promise<Me> {
    const body = { username, password };
    this.keep((await callApi("/auth/login", { method: "POST", body }, this.fetcher)) as Tokens);
    return this.me();
  }

  /** Go on after a reload; null when there is nothing to go on with. Throws when the server is out of reach. */
  async restore(): Promise<Me | null> {
    this.unpark();
    if (this.refreshToken === null) return null;
    try {
      await this.refresh();
      return await this.me();
    } catch (error) {
      if (error instanceof ApiError && !error.isTemporary) return null;
      throw error;
    }
  }

  /** Forgets everything at once; tells the server if it can be told. */
  signOut(): void {
    const { accessToken, refreshToken } = this;
    const fresh = this.now() < this.refreshAfterMs;
    this.forget();
    this.endAtServer(fresh ? accessToken : null, refreshToken).catch(() => undefined);
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

  async me(): Promise<Me> {
    return (await this.call("/me", {})) as Me;
  }

  async openConsultations(): Promise<Consultation[]> {
    return (await this.call("/consultations?state=open", {})) as Consultation[];
  }

  async join(room: string): Promise<JoinedRoom> {
    const path = `/rooms/${encodeURIComponent(room)}/join`;
    return (await this.call(path, { method: "POST", body: {} })) as JoinedRoom;
  }

  private async call(path: string, call: Call): Promise<unknown> {
    if (this.now() >= this.refreshAfterMs) await this.refresh();
    try {
      return await callApi(path, { ...call, token: this.accessToken }, this.fetcher);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
    }
    // Revoked or expired earlier than we thought: one more try with a new token.
    await this.refresh();
    return callApi(path, { ...call, token: this.accessToken }, this.fetcher);
  }

  /** One refresh at a time: the second of two would find its refresh token used up. */
  private async refresh(): Promise<void> {
    this.refreshing ??= this.refreshNow().finally(() => {
      this.refreshing = null;
    });
    return this.refreshing;
  }

  private async refreshNow(): Promise<void> {
    if (this.refreshToken === null) throw new ApiError(401, "signed_out", "");
    try {
      await this.exchange(this.refreshToken).catch((error: unknown) => {
        // Perhaps only the answer was lost: ask again at once, while the server still takes the same token.
        if (error instanceof ApiError && error.status === 0 && this.refreshToken !== null) {
          return this.exchange(this.refreshToken);
        }
        throw error;
      });
    } catch (error) {
      if (error instanceof ApiError && !error.isTemporary) this.forget();
      throw error;
    }
  }

  private async exchange(refreshToken: string): Promise<void> {
    this.keep(await this.askForTokens(refreshToken));
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

  private forget(): void {
    this.accessToken = null;
    this.refreshToken = null;
    this.storage.removeItem(REFRESH_KEY);
  }
}
