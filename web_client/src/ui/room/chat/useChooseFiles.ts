import { useState } from "react";
import type { ChatDesk } from "../../../room/chatDesk";
import { checkFiles, type Checked } from "../../../room/fileRules";
import { useStore } from "../../hooks";

export interface ChosenFiles {
  chosen: readonly File[];
  /** What was not taken the last time, and why. */
  refused: Checked["refused"];
  choose: (files: readonly File[]) => void;
  remove: (file: File) => void;
  /** The person read what was refused and goes on. */
  forgetRefused: () => void;
}

/** Files for the next message: by button, pasted or dropped. */
export function useChooseFiles(desk: ChatDesk): ChosenFiles {
  const chosen = useStore(desk.chosen);
  const [refused, setRefused] = useState<Checked["refused"]>([]);
  return {
    chosen,
    refused,
    choose: (files) => {
      const checked = checkFiles(files, desk.chosen.get().length);
      desk.chosen.set([...desk.chosen.get(), ...checked.accepted]);
      setRefused(checked.refused);
    },
    remove: (file) => {
      desk.chosen.set(desk.chosen.get().filter((one) => one !== file));
      setRefused([]);
    },
    forgetRefused: () => {
      setRefused([]);
    },
  };
}
