import { useStore } from "../ui/hooks";
import { useDrawingWords } from "./context";
import { AnchorIcon } from "./toolIcons";
import { ToolButton } from "./ToolButton";
import { ANCHORS, possibleAnchor, type Toolbox } from "./toolbox";

/** What the next drawing stays with. What is not possible on this picture says why. */
export function Anchors({ toolbox, follows }: { toolbox: Toolbox; follows: boolean }) {
  const words = useDrawingWords();
  const chosen = possibleAnchor(useStore(toolbox.store).anchor, follows);
  return (
    <span className="drawing-anchors" role="group" aria-label={words.withKey(words.anchors, "N")}>
      {ANCHORS.map((anchor) => {
        const idle = possibleAnchor(anchor, follows) !== anchor;
        return (
          <ToolButton
            key={anchor}
            testId={`anchor-${anchor}`}
            words={idle ? words.noTissue : words.anchor[anchor]}
            pressed={chosen === anchor}
            idle={idle}
            onPress={() => {
              toolbox.set({ anchor });
            }}
          >
            <AnchorIcon anchor={anchor} />
          </ToolButton>
        );
      })}
    </span>
  );
}
