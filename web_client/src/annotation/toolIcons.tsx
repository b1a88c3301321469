import { Icon } from "../ui/icons";
import type { Anchor, ChosenTool } from "./toolbox";

/** Line drawings of our own; words always stand beside them or are read out. */
export function ToolIcon({ tool }: { tool: ChosenTool }) {
  return <Icon>{SHAPES[tool]}</Icon>;
}

const SHAPES: Record<ChosenTool, React.ReactNode> = {
  hand: <path d="m5 5 14 14M19 5 5 19" />,
  pointer: (
    <>
      <circle cx="12" cy="12" r="3" fill="currentColor" />
      <path d="M12 3v3M12 18v3M3 12h3M18 12h3" />
    </>
  ),
  pen: <path d="m4 20 1-5L16 4l4 4L9 19zM14 6l4 4" />,
  arrow: <path d="M5 19 19 5M10 5h9v9" />,
  ellipse: <ellipse cx="12" cy="12" rx="9" ry="6.5" />,
  rectangle: <rect x="3.5" y="6" width="17" height="12" />,
  text: <path d="M5 7V5h14v2M12 5v14M9 19h6" />,
  ruler: <path d="m3 16 13-13 5 5L8 21zM7 12l2 2M10 9l2 2M13 6l2 2" />,
};

export const UndoIcon = () => (
  <Icon>
    <path d="M8 5 4 9l4 4M4 9h10a5 5 0 0 1 0 10h-3" />
  </Icon>
);
export const RedoIcon = () => (
  <Icon>
    <path d="m16 5 4 4-4 4M20 9H10a5 5 0 0 0 0 10h3" />
  </Icon>
);
export const ClearIcon = () => (
  <Icon>
    <path d="M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5" />
  </Icon>
);
export const ClearAllIcon = () => (
  <Icon>
    <path d="M3 7h18M9 7V4h6v3M5 7l1 13h12l1-13M9 11l6 6M15 11l-6 6" />
  </Icon>
);
export const FadeIcon = () => (
  <Icon>
    <path d="M7 3h10M7 21h10M8 3c0 5 8 5 8 9s-8 4-8 9M16 3c0 5-8 5-8 9s8 4 8 9" />
  </Icon>
);

const ANCHOR_SHAPES: Record<Anchor, React.ReactNode> = {
  screen: <path d="M3 5h18v12H3zM8 21h8M12 17v4" />,
  frame: <path d="M3 5h18v14H3zM7 5v14M17 5v14" />,
  tissue: <path d="M3 8c3-4 6 4 9 0s6 4 9 0M3 16c3-4 6 4 9 0s6 4 9 0" />,
};

export const AnchorIcon = ({ anchor }: { anchor: Anchor }) => <Icon>{ANCHOR_SHAPES[anchor]}</Icon>;
