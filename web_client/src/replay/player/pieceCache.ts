/** Decrypted pieces that were wanted lately, up to so many bytes: a step back, or to where one just was, needs no fetch. */
export class PieceCache {
  private readonly kept = new Map<string, ArrayBuffer>();
  private bytes = 0;

  constructor(private readonly limitBytes: number) {}

  /** Null when it is not kept (any more). */
  take(object: string): ArrayBuffer | null {
    const found = this.kept.get(object);
    if (found === undefined) return null;
    this.kept.delete(object); // and in again, as the newest
    this.kept.set(object, found);
    return found;
  }

  put(object: string, data: ArrayBuffer): void {
    this.bytes += data.byteLength - (this.kept.get(object)?.byteLength ?? 0);
    this.kept.delete(object);
    this.kept.set(object, data);
    for (const [oldest, old] of this.kept) {
      if (this.bytes <= this.limitBytes) break;
      this.kept.delete(oldest);
      this.bytes -= old.byteLength;
    }
  }

  get sizeBytes(): number {
    return this.bytes;
  }
}
