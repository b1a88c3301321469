/** Holds one immutable value and tells listeners when it changed; fits React's `useSyncExternalStore`. */
export class Store<Value> {
  private listeners = new Set<() => void>();

  constructor(private value: Value) {}

  /** Bound, because React calls it as a plain function. */
  readonly get = (): Value => this.value;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  };

  set(value: Value): void {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const listener of [...this.listeners]) listener();
  }
}
