import { useState, useSyncExternalStore, type RefObject } from "react";
import { useStore } from "../ui/hooks";
import { Anchors } from "./Anchors";
import { Calibration } from "./Calibration";
import { useDrawingWords } from "./context";
import type { DrawingDesk } from "./desk";
import type { FeedDrawings } from "./feedDrawings";
import { TOOL_KEYS, useDrawingKeys } from "./keys";
import { ToolButton } from "./ToolButton";
import { COLOURS, nextAnchor, type ChosenTool } from "./toolbox";
import { ClearAllIcon, ClearIcon, FadeIcon, RedoIcon, ToolIcon, UndoIcon } from "./toolIcons";

interface Props {
  desk: DrawingDesk;
  feedId: string;
  name: string;
  canvas: RefObject<HTMLCanvasElement | null>;
  /** The feed's box follows tissue. */
  follows: boolean;
  /** Drawings on a still stay with it: there is nothing to choose. */
  isStill?: boolean;
}

/** The tools, beside the picture they draw on: so they are there on a full screen and on site, too. */
export function DrawingTools({ desk, feedId, name, canvas, follows, isStill = false }: Props) {
  const words = useDrawingWords();
  const [open, setOpen] = useState(false);
  const { tool, fades } = useStore(desk.toolbox.store);
  const drawings = desk.of(feedId);
  const { undoes, redoes } = useSteps(drawings);
  const choose = (chosen: ChosenTool) => {
    setOpen(true);
    desk.toolbox.choose(chosen);
  };
  const clearMine = () => {
    drawings.do({ op: "clear", whose: "mine" });
  };
  const undo = () => {
    if (canUndo(drawings)) drawings.do({ op: "undo" });
  };
  const redo = () => {
    if (drawings.steps.redo > 0) drawings.do({ op: "redo" });
  };
  const toggleFades = () => {
    desk.toolbox.set({ fades: !desk.toolbox.store.get().fades });
  };
  const putAway = () => {
    if (desk.toolbox.store.get().tool === "hand") return false;
    desk.toolbox.set({ tool: "hand" });
    return true;
  };
  useDrawingKeys(() => canvas.current?.ownerDocument.defaultView ?? null, {
    tool: choose,
    undo,
    redo,
    fades: toggleFades,
    anchor: () => {
      desk.toolbox.set({ anchor: nextAnchor(desk.toolbox.store.get().anchor, follows) });
    },
    clearMine,
    putAway,
  });
  if (desk.author === null) return null;
  return (
    <div className="drawing-tools" role="group" aria-label={words.group(name)}>
      <button
        type="button"
        className="drawing-tool drawing-open"
        data-testid="draw-open"
        aria-expanded={open}
        aria-label={open ? words.close : words.openOn(name)}
        title={open ? words.close : words.open}
        onClick={() => {
          setOpen(!open);
          if (open) putAway();
        }}
      >
        <ToolIcon tool={open ? "hand" : "pen"} />
      </button>
      {open && (
        <>
          {TOOL_KEYS.map(([one, key]) => (
            <ToolButton
              key={one}
              testId={`tool-${one}`}
              words={words.withKey(words[one === "hand" ? "close" : one], key)}
              pressed={tool === one}
              onPress={() => {
                choose(one);
              }}
            >
              <ToolIcon tool={one} />
            </ToolButton>
          ))}
          <Colours desk={desk} />
          <ToolButton words={words.withKey(words.fades, "D")} pressed={fades} onPress={toggleFades}>
            <FadeIcon />
          </ToolButton>
          {!isStill && <Anchors toolbox={desk.toolbox} follows={follows} />}
          <ToolButton words={words.withKey(words.undo, "Z")} idle={!undoes} onPress={undo}>
            <UndoIcon />
          </ToolButton>
          <ToolButton words={words.withKey(words.redo, "⇧Z")} idle={!redoes} onPress={redo}>
            <RedoIcon />
          </ToolButton>
          <ToolButton words={words.withKey(words.clearMine, "Del")} onPress={clearMine}>
            <ClearIcon />
          </ToolButton>
          {desk.moderates && <ClearAll desk={desk} feedId={feedId} />}
          {tool === "ruler" && <Calibration desk={desk} feedId={feedId} canvas={canvas} />}
        </>
      )}
      <Problem desk={desk} />
    </div>
  );
}

const canUndo = ({ steps, waits }: FeedDrawings) => steps.undo > 0 || waits > 0;

/** Strokes change the drawings 150 times a second; the buttons change now and then. */
function useSteps(drawings: FeedDrawings): { undoes: boolean; redoes: boolean } {
  const { subscribe } = drawings.version;
  const undoes = useSyncExternalStore(subscribe, () => canUndo(drawings));
  const redoes = useSyncExternalStore(subscribe, () => drawings.steps.redo > 0);
  return { undoes, redoes };
}

function Colours({ desk }: { desk: DrawingDesk }) {
  const words = useDrawingWords();
  const { colour } = useStore(desk.toolbox.store);
  return (
    <span className="drawing-colours" role="group" aria-label={words.colours}>
      {COLOURS.map((one, index) => (
        <button
          key={one}
          type="button"
          className="drawing-colour"
          style={{ background: one }}
          aria-label={words.colour[index]}
          title={words.colour[index]}
          aria-pressed={colour === one}
          onClick={() => {
            desk.toolbox.set({ colour: one });
          }}
        />
      ))}
    </span>
  );
}

/** What takes from others what they drew, and cannot be taken back, asks once. */
function ClearAll({ desk, feedId }: { desk: DrawingDesk; feedId: string }) {
  const words = useDrawingWords();
  const [sure, setSure] = useState(false);
  if (!sure) {
    return (
      <ToolButton
        words={words.clearAll}
        onPress={() => {
          setSure(true);
        }}
      >
        <ClearAllIcon />
      </ToolButton>
    );
  }
  return (
    <span className="drawing-sure" role="group" aria-label={words.clearAll}>
      <span>{words.clearAllSure}</span>
      <button
        type="button"
        onClick={() => {
          desk.of(feedId).do({ op: "clear", whose: "all" });
          setSure(false);
        }}
      >
        {words.clearAll}
      </button>
      <button
        type="button"
        onClick={() => {
          setSure(false);
        }}
      >
        {words.cancel}
      </button>
    </span>
  );
}

/** Why something was not drawn. */
function Problem({ desk }: { desk: DrawingDesk }) {
  const words = useDrawingWords();
  const code = useStore(desk.problem);
  const known: Partial<Record<string, string>> = { ...words.refused, other: "" };
  return (
    <span className="drawing-problem" role="status">
      {code === null ? "" : (known[code] ?? words.refused.other(code))}
    </span>
  );
}
