import { expect, test } from "vitest";
import { en } from "../../i18n/en";
import { zh } from "../../i18n/zh";
import { endingOf, type Ending } from "../../room/state";
import { endingWords } from "./EndedPage";

const ROOM_CODES = ["removed", "turned_away", "taken_over", "consultation_closed"];
const refused = (code: string): Ending => ({ kind: "refused", code, detail: "because" });

test.each<[Ending, string, string]>([
  [{ kind: "consultation-ended" }, "The consultation has ended.", "list"],
  [{ kind: "removed" }, "You were removed from this room.", "list"],
  [{ kind: "turned-away" }, "The site did not let you in.", "retry"],
  [{ kind: "taken-over" }, "You went on in another window.", "retry"],
  [endingOf("consultation_closed", ""), "The consultation has ended.", "list"],
  [refused("room_full"), "The room is full.", "retry"],
  [refused("role_may_not_join"), "You are not invited to this room.", "retry"],
  [refused("not_found"), "This room is not open.", "retry"],
  [refused("session_expired"), "Your sign-in has ended.", "sign-in"],
  [refused("something_new"), "The service did not let you in.", "retry"],
])("%j has its own words and a way on", (ending, title, way) => {
  expect(endingWords(ending, en)).toMatchObject({ title, way });
  expect(endingWords(ending, zh).hint).not.toBe("");
});

test("a reason nobody foresaw is passed on", () => {
  expect(endingWords(refused("odd"), en).hint).toContain("because");
});

test.each(["session_expired", "token_revoked", "not_found", "invitation_revoked", "forbidden"])(
  "a guest refused with %s is not asked for a password nobody gave them",
  (code) => {
    expect(endingWords(refused(code), en, true)).toMatchObject({
      title: "Your invitation is no longer valid.",
      way: "none",
    });
  },
);

test("what the server calls an end becomes one of ours", () => {
  expect(ROOM_CODES.map((code) => endingOf(code, "").kind)).toEqual([
    "removed",
    "turned-away",
    "taken-over",
    "consultation-ended",
  ]);
});
