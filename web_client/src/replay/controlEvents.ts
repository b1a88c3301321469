import type { Mark, RoomEvent } from "./events";

/** Keys and clicks that follow each other so closely are one line. */
const ONE_LINE_US = 3_000_000;
const LINE_MAX_CHARS = 60;

type Fields = Record<string, unknown>;
type Words = Pick<Mark, "type" | "who" | "what" | "by">;

const text = (value: unknown) => (typeof value === "string" ? value : "");
const inner = (value: unknown): Fields =>
  typeof value === "object" && value !== null ? (value as Fields) : {};
const texts = (value: unknown) => (Array.isArray(value) ? value.map(text) : []);

/** What is told of one control while its events are read in order. */
interface Story {
  who: string;
  keys: readonly string[];
  buttons: number;
  /** The line that is still being written, and when something was added to it. */
  line: Mark | null;
  lastUs: number;
}

/** Events of remote control → marks: how far it came, with whose act; and what was pressed, in runs. Motion is left out. */
export class ControlStories {
  private readonly stories = new Map<string, Story>();

  /** Null: nothing new to list. */
  markOf({ type, atUs, fields }: RoomEvent): Mark | null {
    const id = text(fields["control_id"]);
    const story = this.stories.get(id) ?? { who: "", keys: [], buttons: 0, line: null, lastUs: 0 };
    this.stories.set(id, story);
    if (type === "control_pressed") return pressed(story, atUs, inner(fields["pressed"]));
    const words = changed(story, fields);
    story.line = null;
    return { atUs, kind: "control", on: true, ...words };
  }
}

function changed(story: Story, fields: Fields): Words {
  const control = inner(fields["control"]);
  const stage = text(control["stage"]);
  const by = text(fields["by"]);
  if (stage === "") return { type: "control_over", who: story.who, what: text(fields["reason"]), by };
  story.who = text(control["name"]);
  // A wrong code changes nothing but the tries that are left.
  const wrong = stage === "granted" && control["tries_left"] !== 3;
  const what = stage === "active" ? text(fields["way"]) : text(fields["feed"]);
  return { type: wrong ? "control_wrong_code" : `control_${stage}`, who: story.who, what, by };
}

function pressed(story: Story, atUs: number, state: Fields): Mark | null {
  const keys = texts(state["keys"]);
  const pointer = inner(state["pointer"]);
  const buttons = Number(pointer["buttons"] ?? 0);
  const wheel = Number(state["wheel"] ?? 0);
  const news: string[] = [];
  const fresh = keys.some((key) => !story.keys.includes(key));
  if (fresh) news.push(keys.map(keyName).join("+"));
  if ((buttons & ~story.buttons) !== 0) news.push(`●(${percent(pointer["x"])}, ${percent(pointer["y"])})`);
  if (wheel !== 0) news.push(wheel > 0 ? "▲" : "▼");
  [story.keys, story.buttons] = [keys, buttons];
  return news.length === 0 ? null : told(story, atUs, news.join(" "));
}

/** Goes on with the line before, unless that is long or long ago. */
function told(story: Story, atUs: number, news: string): Mark | null {
  const { line, lastUs, who } = story;
  story.lastUs = atUs;
  if (line !== null && atUs - lastUs < ONE_LINE_US && line.what.length < LINE_MAX_CHARS) {
    line.what += ` ${news}`;
    return null;
  }
  return (story.line = { atUs, type: "control_pressed", kind: "control", who, what: news, on: true });
}

/** As the key is called, without where it stands. */
const keyName = (code: string) => code.replace(/^(?:Key|Digit)(?=.$)|Left$|Right$/g, "") || code;
const percent = (share: unknown) => `${Math.round(Number(share) * 100)} %`;
