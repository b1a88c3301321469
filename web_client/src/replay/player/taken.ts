export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Until the source buffer has taken what it was given. */
export function done(buffer: SourceBuffer): Promise<void> {
  if (!buffer.updating) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const listening = new AbortController();
    const settle = (then: () => void) => () => {
      listening.abort(); // else one listener stays for every piece of a long consultation
      then();
    };
    const { signal } = listening;
    buffer.addEventListener("updateend", settle(resolve), { signal });
    const refused = () => {
      reject(new Error("the browser refuses the data"));
    };
    buffer.addEventListener("error", settle(refused), { signal });
  });
}
