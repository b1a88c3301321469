/** The files of a folder that somebody chose, by their paths in it; the folder's own name comes first. */
export type Files = ReadonlyMap<string, File>;

/** Told how many have been found so far. */
export type OnCount = (files: number) => void;

/** An archive of a day with many tracks has some hundred thousand pieces. */
const MAX_FILES = 2_000_000;
const MAX_DEPTH = 8;
const COUNT_EVERY = 200;

export class TooManyFiles extends Error {
  override readonly name = "TooManyFiles";
}

/** What `<input type="file" webkitdirectory>` holds. */
export function filesOfInput(list: FileList): Files {
  return new Map(Array.from(list, (file) => [file.webkitRelativePath, file]));
}

/** Everything below a folder that was chosen or dropped, where the browser has the File System Access API. */
export async function filesOfHandle(folder: FileSystemDirectoryHandle, onCount: OnCount): Promise<Files> {
  const found = new Map<string, File>();
  const waiting = [{ folder, path: folder.name, depth: 0 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for await (const [name, entry] of next.folder.entries()) {
      const path = `${next.path}/${name}`;
      if (entry.kind === "file") add(found, path, await entry.getFile(), onCount);
      else if (next.depth < MAX_DEPTH) {
        waiting.push({ folder: entry, path, depth: next.depth + 1 });
      }
    }
  }
  return found;
}

/** The same by the older way, which all browsers have for what is dropped. */
export async function filesOfEntry(folder: FileSystemDirectoryEntry, onCount: OnCount): Promise<Files> {
  const found = new Map<string, File>();
  const waiting = [{ folder, path: folder.name, depth: 0 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const entry of await listEntries(next.folder)) {
      const path = `${next.path}/${entry.name}`;
      if (entry.isFile) add(found, path, await fileOf(entry as FileSystemFileEntry), onCount);
      else if (next.depth < MAX_DEPTH) {
        waiting.push({ folder: entry as FileSystemDirectoryEntry, path, depth: next.depth + 1 });
      }
    }
  }
  return found;
}

/** What was dropped, if it is a folder: to be taken before the event is over, and read later. */
export function droppedFolder(data: DataTransfer): ((onCount: OnCount) => Promise<Files | null>) | null {
  const item = Array.from(data.items).find(({ kind }) => kind === "file");
  if (item === undefined) return null;
  if ("getAsFileSystemHandle" in item) {
    const asked = (item as HandleItem).getAsFileSystemHandle();
    return async (onCount) => {
      const handle = await asked;
      return handle?.kind === "directory"
        ? filesOfHandle(handle as FileSystemDirectoryHandle, onCount)
        : null;
    };
  }
  const entry = item.webkitGetAsEntry();
  return async (onCount) =>
    entry?.isDirectory === true ? filesOfEntry(entry as FileSystemDirectoryEntry, onCount) : null;
}

/** Lets the user choose a folder without the browser's question about “uploading” it; null: not in this browser. */
export function folderPicker(page: Window): (() => Promise<FileSystemDirectoryHandle>) | null {
  const { showDirectoryPicker } = page as Window & { showDirectoryPicker?: Picker };
  return showDirectoryPicker === undefined ? null : () => showDirectoryPicker.call(page, { mode: "read" });
}

type Picker = (options: { mode: "read" }) => Promise<FileSystemDirectoryHandle>;

interface HandleItem {
  getAsFileSystemHandle: () => Promise<FileSystemHandle | null>;
}

function add(found: Map<string, File>, path: string, file: File, onCount: OnCount): void {
  if (found.size >= MAX_FILES) throw new TooManyFiles();
  found.set(path, file);
  if (found.size % COUNT_EVERY === 0) onCount(found.size);
}

/** A reader gives some at a time, and nothing at the end. */
async function listEntries(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => {
      reader.readEntries(resolve, reject);
    });
    if (some.length === 0) return all;
    all.push(...some);
  }
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => {
    entry.file(resolve, reject);
  });
}
