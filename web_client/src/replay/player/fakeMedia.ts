/** Media Source Extensions and an element as far as the player's tests need them: they take what they are given. */

export class FakeSourceBuffer extends EventTarget {
  updating = false;
  mode = "";
  appendWindowEnd = Number.POSITIVE_INFINITY;
  removed = 0;
  /** What it was given, as text; an init piece is `init`. */
  appended: string[] = [];
  types: string[] = [];

  appendBuffer(data: ArrayBuffer): void {
    const text = new TextDecoder().decode(data);
    this.appended.push(text.startsWith("piece") ? text : "init");
    this.work();
  }

  remove(): void {
    this.removed += 1;
    this.work();
  }

  changeType(type: string): void {
    this.types.push(type);
  }

  private work(): void {
    if (this.updating) throw new Error("it is still busy");
    this.updating = true;
    queueMicrotask(() => {
      this.updating = false;
      this.dispatchEvent(new Event("updateend"));
    });
  }
}

export class FakeMediaSource extends EventTarget {
  static last: FakeMediaSource;
  static supports = true;
  static isTypeSupported = () => FakeMediaSource.supports;

  readyState = "closed";
  duration = 0;
  buffer: FakeSourceBuffer | null = null;

  constructor() {
    super();
    FakeMediaSource.last = this;
  }

  open(): void {
    this.readyState = "open";
    this.dispatchEvent(new Event("sourceopen"));
  }

  addSourceBuffer(): FakeSourceBuffer {
    this.buffer = new FakeSourceBuffer();
    return this.buffer;
  }
}

/** Plays nothing; its buffered span is what the test says. */
export class FakeElement extends EventTarget {
  src = "";
  currentTime = 0;
  playbackRate = 1;
  paused = true;
  seeking = false;
  readyState = 4;
  error: Error | null = null;
  span: [number, number] | null = null;

  get buffered() {
    const { spans } = this;
    const side = (end: 0 | 1) => (index: number) => spans[index]?.[end] ?? 0;
    return { length: spans.length, start: side(0), end: side(1) };
  }

  protected get spans(): readonly (readonly [number, number])[] {
    return this.span === null ? [] : [this.span];
  }

  play(): Promise<void> {
    this.paused = false;
    return Promise.resolve();
  }

  pause(): void {
    this.paused = true;
  }

  load(): void {
    this.currentTime = 0;
  }

  removeAttribute(): void {
    this.src = "";
  }
}
