import { beforeEach, expect, test } from "vitest";
import { FakeServer, fakeTab, problem } from "../../api/fakeServer";
import { Session } from "../../api/session";
import { consultationOf } from "../testData";
import { Submission } from "./submission";
import { EMPTY, headerOf, type Values } from "./values";

const VALUES: Values = {
  ...EMPTY,
  name: "张三丰",
  sex: "male",
  age: "57",
  examNumber: "US-1",
  consentConsult: true,
  consentRecord: true,
  record: true,
};
const HEADER = headerOf(VALUES);
const mine = consultationOf("mine", { header: HEADER, host: true });

let server: FakeServer;
let submission: Submission;
const open = () => submission.open(VALUES, HEADER);
const answer = (response: () => Response | Promise<Response>) =>
  server.answers.set("/consultations", response);

beforeEach(async () => {
  server = new FakeServer();
  const session = new Session(fakeTab(server));
  await session.signIn("wang", "right");
  submission = new Submission(session);
});

test("an accepted form leads to its room", async () => {
  answer(() => Response.json(mine, { status: 201 }));
  expect(await open()).toEqual({ kind: "opened", room: "room-mine" });
});

test("while one attempt runs there is no second one", async () => {
  answer(() => Response.json(mine, { status: 201 }));
  const [first, second] = await Promise.all([open(), open()]);
  expect(second).toBeNull();
  expect(first?.kind).toBe("opened");
  expect(server.paths().filter((path) => path === "/consultations")).toHaveLength(1);
});

test("an attempt whose answer got lost is found by the next one, not repeated", async () => {
  answer(() => Promise.reject(new TypeError("Failed to fetch")));
  expect(await open()).toEqual({ kind: "trouble", trouble: "unreachable" });
  answer(() => problem(409, "already_open"));
  server.answers.set("/consultations?state=open", () => Response.json([consultationOf("other"), mine]));
  expect(await open()).toEqual({ kind: "opened", room: "room-mine" });
});

test("one that somebody else opened for this patient is offered, not entered by itself", async () => {
  answer(() => problem(409, "already_open"));
  server.answers.set("/consultations?state=open", () => Response.json([mine]));
  expect(await open()).toEqual({ kind: "exists", room: "room-mine" });
});

test("if that one cannot be found, it is said all the same", async () => {
  answer(() => problem(409, "already_open"));
  server.answers.set("/consultations?state=open", () => problem(503, "unavailable"));
  expect(await open()).toEqual({ kind: "exists", room: null });
});

test.each([
  [422, "invalid_body", "patient.age: Input should be at most 150", "age", false],
  [422, "invalid_body", "patient.exam_number: too long", "examNumber", false],
  [422, "invalid_body", "devices.0: not an id", "devices", false],
  [422, "consent_needed", "consent_consult: the patient has to agree", "consentConsult", false],
  [422, "reason_needed", "record_reason: say why", "recordReason", false],
  [404, "device_not_found", "", "devices", true],
  [409, "device_disabled", "", "devices", true],
  [404, "organisation_not_found", "", "invited", true],
])("%i %s (%s) is about the field %s", async (status, code, detail, field, gone) => {
  answer(() => new Response(JSON.stringify({ code, detail }), { status }));
  expect(await open()).toEqual({ kind: "field", field, gone });
});

test.each([
  [503, "unavailable", "unreachable"],
  [429, "too_many", "throttled"],
  [403, "not_granted", "forbidden"],
  [422, "invalid_body", "refused"],
])("%i %s is %s", async (status, code, trouble) => {
  answer(() => problem(status, code));
  expect(await open()).toEqual({ kind: "trouble", trouble });
});
