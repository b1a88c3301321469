import type { FileInfo } from "../protocol/messages";

/** Pictures nobody looks at any more are kept up to so many bytes. */
export const IDLE_BYTES_MAX = 32_000_000;

export interface UrlMaker {
  createObjectURL: (blob: Blob) => string;
  revokeObjectURL: (url: string) => void;
}

interface Picture {
  users: number;
  url: Promise<string>;
  sizeBytes: number;
}

/**
 * Pictures of the chat as `blob:` addresses: fetched once, shared by all who show them, revoked when the last one let
 * go and the space is needed, and all of them when the room is left.
 */
export class PictureShelf {
  /** Insertion order is the order of last use. */
  private readonly pictures = new Map<string, Picture>();

  constructor(
    private readonly read: (file: FileInfo) => Promise<Blob>,
    private readonly urls: UrlMaker = URL,
  ) {}

  /** Every `take` needs a `release`. Rejects when the picture cannot be fetched. */
  take(file: FileInfo): Promise<string> {
    const known = this.pictures.get(file.file_id);
    const picture = known ?? {
      users: 0,
      url: this.read(file).then((blob) => this.urls.createObjectURL(blob)),
      sizeBytes: file.size_bytes,
    };
    this.pictures.delete(file.file_id);
    this.pictures.set(file.file_id, picture);
    picture.users += 1;
    if (known === undefined) {
      picture.url.catch(() => {
        // The next one who wants it tries again.
        if (this.pictures.get(file.file_id) === picture) this.pictures.delete(file.file_id);
      });
    }
    return picture.url;
  }

  release(file: FileInfo): void {
    const picture = this.pictures.get(file.file_id);
    if (picture !== undefined) picture.users -= 1;
    this.makeRoom();
  }

  clear(): void {
    for (const id of [...this.pictures.keys()]) this.revoke(id);
  }

  private makeRoom(): void {
    const idle = [...this.pictures].filter(([, picture]) => picture.users <= 0);
    let bytes = idle.reduce((sum, [, { sizeBytes }]) => sum + sizeBytes, 0);
    for (const [id, { sizeBytes }] of idle) {
      if (bytes <= IDLE_BYTES_MAX) return;
      bytes -= sizeBytes;
      this.revoke(id);
    }
  }

  private revoke(id: string): void {
    const picture = this.pictures.get(id);
    this.pictures.delete(id);
    picture?.url.then(
      (url) => {
        this.urls.revokeObjectURL(url);
      },
      () => undefined,
    );
  }
}
