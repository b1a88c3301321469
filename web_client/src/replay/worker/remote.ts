import type { Bytes } from "../format/bytes";
import type { LogSource } from "../format/logCheck";
import type { Beside } from "../format/verify";
import type { ReplayedFolder } from "./archiveRoom";
import { ReplayError } from "./protocol";

/** Asks the page for an access token; `refused`: the last one was not taken. */
export type AskToken = (refused: boolean) => Promise<string | null>;

/** How long a token is used without asking again, ms: a seek fetches many things at once. */
const TOKEN_KEPT_MS = 15_000;

/** The same, asking the page now and then only. */
export function keepToken(ask: AskToken, now: () => number = () => performance.now()): AskToken {
  let kept: { token: Promise<string | null>; untilMs: number } | null = null;
  return (refused) => {
    if (!refused && kept !== null && now() < kept.untilMs) return kept.token;
    kept = { token: ask(refused), untilMs: now() + TOKEN_KEPT_MS };
    return kept.token;
  };
}

/** A consultation's folder at the service. Everything that comes is ciphertext, or public by design. */
export class RemoteFolder implements ReplayedFolder {
  private readonly base: string;

  readonly log: LogSource = {
    keys: () => this.json("/api/v1/log/keys"),
    about: () => this.json(`${this.base}/log`),
    consistency: async (from, to) => {
      const answer = await this.json<{ proof: string[] }>(`/api/v1/log/consistency?from=${from}&to=${to}`);
      return answer.proof;
    },
  };

  constructor(
    readonly consultation: string,
    private readonly askToken: AskToken,
    private readonly fetcher: typeof fetch = (input, init) => fetch(input, init),
  ) {
    this.base = `/api/v1/archives/${encodeURIComponent(consultation)}`;
  }

  /** Puts the replay on record. */
  async begin(): Promise<void> {
    await this.call(`${this.base}/replays`, { method: "POST" });
  }

  manifest(): Promise<Bytes | null> {
    return this.get("manifest");
  }

  closing(): Promise<Bytes | null> {
    return this.get("closing");
  }

  key(): Promise<Bytes | null> {
    return this.get("key");
  }

  object(path: string): Promise<Bytes | null> {
    return this.get(path);
  }

  /** As `object`, but what the browser kept will do: its hash is compared all the same. */
  keptObject(path: string): Promise<Bytes | null> {
    return this.get(path, "default");
  }

  async run(
    track: string,
    generation: number,
    first: number,
    last: number,
    stop: AbortSignal,
    fresh = false,
  ): Promise<Bytes> {
    const path = `runs/${track}/${generation}?first=${first}&last=${last}`;
    return (await this.get(path, fresh ? "no-store" : "default", stop)) ?? new Uint8Array();
  }

  decisions(): Promise<Bytes | null> {
    return this.get("decisions");
  }

  people(): Promise<string[]> {
    return this.keys("/api/v1/archive-people");
  }

  async beside(): Promise<Beside> {
    return this.json<Beside>(this.base);
  }

  signers(): Promise<string[]> {
    return this.keys("/api/v1/archive-signers");
  }

  private async keys(url: string): Promise<string[]> {
    return (await this.json<{ public: string }[]>(url)).map((one) => one.public);
  }

  private async json<Answer>(url: string): Promise<Answer> {
    const response = await this.call(url, { cache: "no-store" });
    return (await response.json()) as Answer;
  }

  private async get(
    path: string,
    cache: RequestCache = "no-store",
    signal: AbortSignal | null = null,
  ): Promise<Bytes | null> {
    const response = await this.call(`${this.base}/${path}`, { cache, signal });
    if (response.status === 404) return null;
    try {
      return new Uint8Array(await response.arrayBuffer());
    } catch (error) {
      throw new ReplayError("unreachable", String(error));
    }
  }

  /** Throws `ReplayError` for everything but success and 404. */
  private async call(url: string, init: RequestInit): Promise<Response> {
    let response = await this.try(url, init, false);
    if (response.status === 401) response = await this.try(url, init, true);
    if (response.ok) return response;
    if (response.status === 404 && (await codeOf(response)) === "archive_file_not_found") return response;
    if (response.status >= 500 || response.status === 429) throw new ReplayError("unreachable");
    throw new ReplayError(response.status === 404 ? "missing" : "refused");
  }

  private async try(url: string, init: RequestInit, refused: boolean): Promise<Response> {
    const token = await this.askToken(refused);
    if (token === null) throw new ReplayError("refused", "signed out");
    const headers = { Authorization: `Bearer ${token}` };
    try {
      return await this.fetcher(url, { ...init, headers, credentials: "omit" });
    } catch (error) {
      throw new ReplayError("unreachable", String(error));
    }
  }
}

async function codeOf(response: Response): Promise<string> {
  try {
    return ((await response.clone().json()) as { code: string }).code;
  } catch {
    return "";
  }
}
