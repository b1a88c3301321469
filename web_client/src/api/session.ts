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
/** Refresh when this share of the access token's life is over, before anything fails. */
const REFRESH_AT = 0.8;

/**
 * Who is signed in.
 *
 * The access token lives in memory only. The refresh token is in `sessionStorage`, so that a reload (or a browser
 * that discards a background tab in the middle of a consultation) does not ask for the password again; it dies with
 * the tab, other tabs never see it, and the server can revoke it. No script of another origin runs here (CSP), and a
 * cookie would bring CSRF and be shared by everyone using this browser profile.
 */
export class Session {
  private accessToken: string | null = null;
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
    if (this.storage.getItem(REFRESH_KEY) === null) return null;
    try {
      await this.refresh();
      return await this.me();
    } catch (error) {
      if (error instanceof ApiError && !error.isTemporary) return null;
      throw error;
    }
  }

  signOut(): void {
    this.accessToken = null;
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
    const refreshToken = this.storage.getItem(REFRESH_KEY);
    if (refreshToken === null) throw new ApiError(401, "signed_out", "");
    try {
      const body = { refresh_token: refreshToken };
      this.keep((await callApi("/auth/refresh", { method: "POST", body }, this.fetcher)) as Tokens);
    } catch (error) {
      if (error instanceof ApiError && !error.isTemporary) this.signOut();
      throw error;
    }
  }

  private keep(tokens: Tokens): void {
    this.accessToken = tokens.access_token;
    this.refreshAfterMs = this.now() + tokens.expires_in * 1000 * REFRESH_AT;
    this.storage.setItem(REFRESH_KEY, tokens.refresh_token);
  }
}
