/** What `teleconsult archive replay-page` put into this page; the page's signature covers it. */
export interface Baked {
  /** Public keys of the archives' signers that are trusted: `ed25519:…`. */
  signers: string[];
  /** Keys of people whose personal signatures under decisions count. */
  people: string[];
  /** Verifier keys of the logs that are trusted, and of their witnesses. */
  logs: string[];
  witnesses: string[];
  /** Whose key signed this page. */
  signer: string;
  /** Where the archives stood when the page was made: how many entries, and the SHA-256 of the last one's line. */
  made_for: Mark[];
}

/** Whom the page trusts. */
export type Trust = Pick<Baked, "signers" | "people" | "logs" | "witnesses">;

export interface Mark {
  consultation: string;
  entries: number;
  head: string;
}

/** Throws when the page is no page of ours. */
export function readBaked(page: Document): Baked {
  return JSON.parse(textOf(page, "baked")) as Baked;
}

/** A worker that runs the code in this page: nothing is loaded from anywhere. */
export function bakedWorker(page: Document): Worker {
  const url = URL.createObjectURL(new Blob([textOf(page, "worker")], { type: "text/javascript" }));
  const worker = new Worker(url);
  URL.revokeObjectURL(url);
  return worker;
}

function textOf(page: Document, id: string): string {
  const text = page.getElementById(id)?.textContent ?? "";
  if (text === "") throw new Error(`the page has no #${id}`);
  return text;
}
