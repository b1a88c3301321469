import { ApiError } from "../api/http";
import type { FileInfo } from "../protocol/messages";
import { isPicture, sentName } from "./fileRules";

export interface Upload {
  url: string;
  headers: Record<string, string>;
  body: Blob;
  progress: (share: number) => void;
  signal: AbortSignal;
}

export interface UploadAnswer {
  status: number;
  text: string;
}

export interface RoomFilesParts {
  room: string;
  /** `stills`: the pictures of frozen frames. */
  folder?: "files" | "stills";
  /** The room token; `renew` when the one at hand did not open the door. Throws `ApiError`. */
  token: (renew: boolean) => Promise<string>;
  fetcher?: (url: string, init: RequestInit) => Promise<Response>;
  send?: (upload: Upload) => Promise<UploadAnswer>;
}

/** Files of the chat, there and back, or stills, with the room token. Nothing here is cached by the browser. */
export class RoomFiles {
  private readonly fetcher: NonNullable<RoomFilesParts["fetcher"]>;
  private readonly send: NonNullable<RoomFilesParts["send"]>;

  constructor(private readonly parts: RoomFilesParts) {
    this.fetcher = parts.fetcher ?? ((url, init) => fetch(url, init));
    this.send = parts.send ?? sendByXhr;
  }

  /** Throws `ApiError`; an aborted upload rejects, too. */
  async upload(file: File, progress: (share: number) => void, signal: AbortSignal): Promise<FileInfo> {
    const answer = await this.withToken(async (token) => {
      const headers = {
        Authorization: `Bearer ${token}`,
        "Content-Type": file.type === "" ? "application/octet-stream" : file.type,
        "X-File-Name": encodeURIComponent(sentName(file.name)),
      };
      // Stopped while the token was fetched: nothing of it is sent.
      signal.throwIfAborted();
      const { status, text } = await this.send({ url: this.url(), headers, body: file, progress, signal });
      if (status !== 201) throw problemOf(status, text);
      return text;
    });
    return JSON.parse(answer) as FileInfo;
  }

  /** Throws `ApiError`. Only what the server found to be a picture keeps its type; nothing else can run or render. */
  async read(file: FileInfo, signal?: AbortSignal): Promise<Blob> {
    const bytes = await this.withToken(async (token) => {
      const response = await this.reach(file.file_id, token, signal);
      if (!response.ok) throw problemOf(response.status, await response.text());
      return response.arrayBuffer();
    });
    return new Blob([bytes], {
      type: isPicture(file.media_type) ? file.media_type : "application/octet-stream",
    });
  }

  private async reach(fileId: string, token: string, signal?: AbortSignal): Promise<Response> {
    const init: RequestInit = {
      headers: { Authorization: `Bearer ${token}` },
      cache: "no-store",
      credentials: "omit",
    };
    if (signal !== undefined) init.signal = signal;
    try {
      return await this.fetcher(`${this.url()}/${encodeURIComponent(fileId)}`, init);
    } catch (error) {
      throw new ApiError(0, "offline", String(error));
    }
  }

  private async withToken<Result>(act: (token: string) => Promise<Result>): Promise<Result> {
    try {
      return await act(await this.parts.token(false));
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
    }
    return act(await this.parts.token(true));
  }

  private url(): string {
    const { room, folder = "files" } = this.parts;
    return `/api/v1/rooms/${encodeURIComponent(room)}/${folder}`;
  }
}

function problemOf(status: number, text: string): ApiError {
  let body: unknown = null;
  try {
    body = JSON.parse(text);
  } catch {
    // A proxy's page: its status says enough.
  }
  const fields = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const code = typeof fields["code"] === "string" ? fields["code"] : status === 413 ? "too_large" : "error";
  return new ApiError(status, code, typeof fields["detail"] === "string" ? fields["detail"] : "");
}

/** `fetch` does not tell how much it has sent. */
function sendByXhr({ url, headers, body, progress, signal }: Upload): Promise<UploadAnswer> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => {
      progress(total > 0 ? loaded / total : 0);
    };
    request.onload = () => {
      resolve({ status: request.status, text: request.responseText });
    };
    const broken = () => {
      reject(new ApiError(0, "offline", "the connection broke"));
    };
    request.onerror = request.onabort = request.ontimeout = broken;
    signal.addEventListener("abort", () => {
      request.abort();
    });
    request.send(body);
  });
}
