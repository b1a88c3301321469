import { useRef, useState } from "react";
import { findConsultations, type Place } from "../folder/find";
import {
  droppedFolder,
  filesOfHandle,
  filesOfInput,
  folderPicker,
  TooManyFiles,
  type Files,
  type OnCount,
} from "../folder/files";

export interface Chosen {
  files: Files;
  place: Place;
  /** Counts choices: the same folder chosen again is read anew. */
  turn: number;
}

export type FolderProblem = "file" | "wrong" | "empty" | "unreadable" | "tooMany";

export interface FolderState {
  phase: "none" | "reading" | "several" | "chosen";
  name: string;
  /** How many files have been found. */
  count: number;
  places: readonly Place[];
  problem: FolderProblem | null;
}

export interface FolderUse extends FolderState {
  chosen: Chosen | null;
  /** Whether `pick` asks by itself; else the page's own field has to be used. */
  canPick: boolean;
  pick: () => void;
  takeInput: (list: FileList) => void;
  take: (data: DataTransfer) => void;
  choose: (place: Place) => void;
  reset: () => void;
}

const NONE: FolderState = { phase: "none", name: "", count: 0, places: [], problem: null };

/** The folder the user gave, by any of the ways there are. */
export function useFolder(): FolderUse {
  const [state, setState] = useState<FolderState>(NONE);
  const [chosen, setChosen] = useState<Chosen | null>(null);
  const files = useRef<Files>(new Map());
  const turn = useRef(0);
  const picker = folderPicker(window);
  const fail = (problem: FolderProblem, name = "", count = 0) => {
    setState({ ...NONE, problem, name, count });
  };
  const choose = (place: Place) => {
    setChosen({ files: files.current, place, turn: turn.current });
    setState((before) => ({ ...before, phase: "chosen", problem: null }));
  };
  const use = (found: Files) => {
    const name = found.keys().next().value?.split("/")[0] ?? "";
    const places = findConsultations(found);
    files.current = found;
    if (places.length === 0) {
      fail(found.size === 0 ? "empty" : "wrong", name, found.size);
      return;
    }
    const phase = places.length > 1 ? "several" : "chosen";
    setState({ phase, name, count: found.size, places, problem: null });
    const [only] = places;
    if (only !== undefined && places.length === 1) choose(only);
  };
  /** Reads what was given; a later choice overtakes an earlier one. */
  const read = (gather: (onCount: OnCount) => Promise<Files | null>) => {
    const mine = ++turn.current;
    const isLatest = () => turn.current === mine;
    setChosen(null);
    setState({ ...NONE, phase: "reading" });
    const onCount = (count: number) => {
      if (isLatest()) setState((before) => ({ ...before, count }));
    };
    gather(onCount).then(
      (found) => {
        if (!isLatest()) return;
        if (found === null) fail("file");
        else use(found);
      },
      (error: unknown) => {
        if (isLatest()) fail(error instanceof TooManyFiles ? "tooMany" : "unreadable");
      },
    );
  };
  return {
    ...state,
    chosen,
    canPick: picker !== null,
    pick: () => {
      picker?.().then(
        (handle) => {
          read((onCount) => filesOfHandle(handle, onCount));
        },
        (error: unknown) => {
          if (!(error instanceof DOMException && error.name === "AbortError")) fail("unreadable");
        },
      );
    },
    takeInput: (list) => {
      const taken = filesOfInput(list); // the list is emptied with the field
      read(() => Promise.resolve(taken));
    },
    take: (data) => {
      const dropped = droppedFolder(data);
      if (dropped !== null) read(dropped);
    },
    choose,
    reset: () => {
      turn.current += 1;
      setChosen(null);
      setState(NONE);
    },
  };
}
