/** A refusal the server explained (RFC 9457 problem document), or no answer at all (`status` 0, code `offline`). */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    /** When the server will listen again, if it said so, s. */
    readonly retryAfterS: number | null = null,
  ) {
    super(`${code}: ${detail}`);
  }

  /** Asking again later makes sense. */
  get isTemporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

const TIMEOUT_MS = 10_000;

export interface Call {
  method?: "GET" | "POST" | "DELETE";
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is, with these headers; instead of `body`. */
  raw?: { content: BodyInit; headers: Record<string, string> };
  token?: string | null;
  timeoutMs?: number;
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Call the REST API below `/api/v1`. Returns the parsed body, null for an empty one; throws `ApiError`. */
export async function callApi(path: string, call: Call, fetcher: Fetch = fetch): Promise<unknown> {
  const response = await reach(path, call, fetcher);
  const body = await readJson(response);
  if (!response.ok) throw problem(response, body);
  return body;
}

async function reach(path: string, call: Call, fetcher: Fetch): Promise<Response> {
  const { method = "GET", body, raw, token, timeoutMs = TIMEOUT_MS } = call;
  const headers: Record<string, string> = { Accept: "application/json", ...raw?.headers };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (token != null) headers["Authorization"] = `Bearer ${token}`;
  const init: RequestInit = {
    method,
    headers,
    cache: "no-store",
    credentials: "omit",
    signal: AbortSignal.timeout(timeoutMs),
  };
  if (body !== undefined) init.body = JSON.stringify(body);
  else if (raw !== undefined) init.body = raw.content;
  try {
    return await fetcher(`/api/v1${path}`, init);
  } catch (error) {
    throw new ApiError(0, "offline", String(error));
  }
}

async function readJson(response: Response): Promise<unknown> {
  const text = await readText(response);
  if (text === "") return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new ApiError(response.ok ? 502 : response.status, "bad_answer", "the answer is not JSON");
  }
}

async function readText(response: Response): Promise<string> {
  try {
    return await response.text();
  } catch (error) {
    // The connection broke in the middle of the answer.
    throw new ApiError(0, "offline", String(error));
  }
}

function problem(response: Response, body: unknown): ApiError {
  const fields = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const text = (value: unknown, otherwise: string) => (typeof value === "string" ? value : otherwise);
  return new ApiError(
    response.status,
    text(fields["code"], "error"),
    text(fields["detail"], text(fields["title"], "")),
    seconds(response.headers.get("Retry-After")),
  );
}

/** Our server gives seconds; a proxy may give a date, which is left alone. */
function seconds(header: string | null): number | null {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) : null;
}
