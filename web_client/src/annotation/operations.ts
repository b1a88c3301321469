import type {
  Add,
  Annotate,
  Calibrate,
  Clear,
  Extend,
  Mark,
  NewMark,
  Redo,
  RemoveMark,
  Undo,
  Update,
} from "../protocol/messages";

type Said<Kind extends string, Operation> = Operation & { op: Kind };

/** What is said to the server; its `op` is always there. */
export type Operation =
  | Said<"add", Add>
  | Said<"extend", Extend>
  | Said<"update", Update>
  | Said<"remove", RemoveMark>
  | Said<"clear", Clear>
  | Said<"undo", Undo>
  | Said<"redo", Redo>
  | Said<"calibrate", Calibrate>;

export type Tool = NewMark["tool"];

/** Who draws here, as marks name them. */
export interface Author {
  person: string;
  name: string;
  role: Mark["role"];
}

/** An operation of one's own on its way to the server. */
export interface Pending {
  message: Annotate;
  operation: Operation;
}

/** The server takes at most so many points at once, and so many in a mark. */
export const POINTS_PER_OPERATION = 1_000;
export const POINTS_PER_MARK = 2_000;

/** What one's own operation will look like when the server has done it. Pure; `marks` is changed. */
export function foresee(
  marks: Map<string, Mark>,
  operation: Operation,
  feed: string,
  author: Author,
  nowUs: number,
): void {
  switch (operation.op) {
    case "add":
      marks.set(operation.mark.mark_id, markOf(operation.mark, feed, author, nowUs));
      break;
    case "extend":
      change(marks, operation.mark_id, (mark) => ({
        ...mark,
        points: [...mark.points, ...operation.points],
        pressures: [...mark.pressures, ...(operation.pressures ?? [])],
        changed_us: nowUs,
      }));
      break;
    case "update":
      change(marks, operation.mark_id, (mark) => ({
        ...mark,
        points: operation.points ?? mark.points,
        pressures: operation.points ? (operation.pressures ?? []) : mark.pressures,
        text: operation.text ?? mark.text,
        colour: operation.colour ?? mark.colour,
        width: operation.width ?? mark.width,
        changed_us: nowUs,
      }));
      break;
    case "remove":
      marks.delete(operation.mark_id);
      break;
    case "clear":
      for (const [id, mark] of marks) {
        if (operation.whose === "all" || mark.author === author.person) marks.delete(id);
      }
      break;
    default:
    // What was before is only known to the server.
  }
}

function change(marks: Map<string, Mark>, id: string, changed: (mark: Mark) => Mark): void {
  const mark = marks.get(id);
  if (mark !== undefined) marks.set(id, changed(mark));
}

function markOf(mark: NewMark, feed: string, author: Author, nowUs: number): Mark {
  return {
    anchor: "screen",
    captured_us: null,
    fade_after_ms: null,
    pressures: [],
    scale: null,
    text: "",
    ...mark,
    feed,
    author: author.person,
    author_name: author.name,
    role: author.role,
    changed_us: nowUs,
  };
}

/** Pieces of the same stroke that wait behind each other become one, so that coming back costs few messages. Pure. */
export function merged(first: Operation, second: Operation): Operation | null {
  if (first.op !== "extend" || second.op !== "extend" || first.mark_id !== second.mark_id) return null;
  if (second.start !== first.start + first.points.length / 2) return null;
  if (first.points.length + second.points.length > 2 * POINTS_PER_OPERATION) return null;
  return {
    ...first,
    points: [...first.points, ...second.points],
    pressures: [...(first.pressures ?? []), ...(second.pressures ?? [])],
  };
}
