const KEPT_MS = 60_000;

/** Hand a file to the browser to save under `name`. Throws nothing; reading happened before. */
export function saveBlob(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // Browsers read it a little later.
  setTimeout(() => {
    URL.revokeObjectURL(url);
  }, KEPT_MS);
}
