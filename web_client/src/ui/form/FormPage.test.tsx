// @vitest-environment happy-dom
import { beforeEach, expect, test } from "vitest";
import { FakeServer, fakeTab, problem } from "../../api/fakeServer";
import { Session } from "../../api/session";
import { consultationOf, meOf } from "../testData";
import { at, find, press, settle, testPage, type, wordsOf } from "../testPage";
import { FormPage } from "./FormPage";

const page = testPage();
let server: FakeServer;
let session: Session;

beforeEach(async () => {
  server = new FakeServer();
  server.answers.set("/devices", () =>
    Response.json([
      { device_id: "d_1", name: "Theatre box", feeds: ["theatre", "monitor"], disabled: false },
      { device_id: "d_2", name: "Old box", feeds: ["x"], disabled: true },
    ]),
  );
  server.answers.set("/organisations", () =>
    Response.json([
      { organisation_id: "o_1", name: "County Hospital" },
      { organisation_id: "o_2", name: "University Hospital" },
    ]),
  );
  server.answers.set("/retention-choices", () =>
    Response.json({
      usual: "standard",
      classes: [
        { name: "teaching", days: 10950 },
        { name: "standard", days: 5475 },
      ],
    }),
  );
  session = new Session(fakeTab(server));
  await session.signIn("li", "right");
  window.location.hash = "#/new";
});

const show = () => page.show(<FormPage session={session} me={meOf("site")} onSignOut={() => undefined} />);
const box = (id: string) => at(id) as HTMLInputElement;
const option = (name: string) =>
  [...document.querySelectorAll<HTMLInputElement>(".option input")].find((input) =>
    input.parentElement?.textContent.includes(name),
  ) ?? expect.fail(`no option ${name}`);
const posted = () =>
  server.asked
    .filter(({ method, path }) => method === "POST" && path === "/consultations")
    .map(({ body }) => body);

async function fillIn(): Promise<void> {
  await type("patient-name", "张三丰");
  await type("patient-sex", "male");
  await type("patient-age", "57");
  await type("exam-number", "US-1");
  await press("consent-consult");
  await press("consent-record");
}

test("a filled-in form opens the consultation with what was chosen, and leads to its room", async () => {
  server.answers.set("/consultations", () => Response.json(consultationOf("a"), { status: 201 }));
  await show();
  await fillIn();
  await settle(() => {
    option("Theatre box").click();
  });
  await settle(() => {
    option("University Hospital").click();
  });
  expect(at("masked-header").textContent).toBe("张*丰 · 男 · 57 · US-1");
  await press("open-consultation");
  expect(posted()).toEqual([
    {
      patient: { name: "张*丰", sex: "male", age: 57, exam_number: "US-1" },
      specialty: "",
      question: "",
      consent_consult: true,
      consent_record: true,
      record: true,
      record_reason: "",
      retention_class: "",
      devices: ["d_1"],
      invited: ["o_2"],
    },
  ]);
  expect(window.location.hash).toBe("#/room/room-a");
  expect(window.sessionStorage.getItem("teleconsult.draft")).toBeNull();
});

test("how long the recording is kept can be chosen among the site's classes; without a recording there is no choice", async () => {
  server.answers.set("/consultations", () => Response.json(consultationOf("a"), { status: 201 }));
  await show();
  await fillIn();
  const options = [...at("retention-class").querySelectorAll("option")].map((one) => one.textContent);
  expect(options).toEqual(["As usual: standard, 15 years", "teaching, 30 years"]);
  await type("retention-class", "teaching");
  await press("record");
  expect(find("retention-class")).toBeNull();
  await press("record");
  await press("open-consultation");
  expect(posted()).toEqual([expect.objectContaining({ retention_class: "teaching" })]);
});

test("a class that two people changed meanwhile is chosen anew from a fresh list", async () => {
  server.answers.set("/consultations", () => problem(409, "class_not_active"));
  await show();
  await fillIn();
  await type("retention-class", "teaching");
  await press("open-consultation");
  expect(at("problem-retentionClass").textContent).toContain("not available any more");
  expect((at("retention-class") as HTMLSelectElement).value).toBe("");
});

test("mistakes stand beside their fields, the first one gets the focus, and nothing is sent", async () => {
  await show();
  await press("open-consultation");
  await settle(() => undefined);
  expect(at("problem-name").textContent).toBe("Enter the patient's name.");
  expect(at("problem-consentConsult").textContent).toContain("Without this consent");
  expect(wordsOf(".form-problem")).toBe("6 entries are missing or wrong.");
  await new Promise((resolve) => requestAnimationFrame(resolve));
  expect(document.activeElement).toBe(at("patient-name"));
  expect(at("patient-name").getAttribute("aria-describedby")).toContain("mistake");
  expect(posted()).toEqual([]);
  await type("patient-name", "张三丰");
  expect(find("problem-name")).toBeNull();
});

test("mistakes follow the language", async () => {
  await show();
  await press("open-consultation");
  await press("language");
  expect(at("problem-age").textContent).toBe("请输入年龄。");
});

test("recording hangs on the consent; without recording a reason is asked for", async () => {
  await show();
  expect(box("record").disabled).toBe(true);
  expect(find("record-reason")).not.toBeNull();
  await press("consent-record");
  expect([box("record").disabled, box("record").checked]).toEqual([false, true]);
  expect(find("record-reason")).toBeNull();
  await press("record");
  expect(find("record-reason")).not.toBeNull();
  await press("record");
  await press("consent-record");
  expect([box("record").disabled, box("record").checked]).toEqual([true, false]);
});

test("one's own organisation is not to be invited, and a box that is off not to be attached", async () => {
  await show();
  expect(at("invited").textContent).toBe("University Hospital ");
  expect(option("Old box").disabled).toBe(true);
  expect(at("devices").textContent).toContain("pictures: theatre, monitor");
});

test("a refused entry is pointed out beside its field until it changes", async () => {
  server.answers.set("/consultations", () =>
    Response.json({ code: "invalid_body", detail: "patient.exam_number: no" }, { status: 422 }),
  );
  await show();
  await fillIn();
  await press("open-consultation");
  expect(at("problem-examNumber").textContent).toContain("The service does not take this entry.");
  await type("exam-number", "US-2");
  expect(find("problem-examNumber")).toBeNull();
});

test("a box that went away meanwhile is said at the boxes, and the list is loaded anew", async () => {
  server.answers.set("/consultations", () => problem(404, "device_not_found"));
  await show();
  await fillIn();
  await settle(() => {
    option("Theatre box").click();
  });
  server.answers.set("/devices", () => Response.json([]));
  await press("open-consultation");
  expect(at("problem-devices").textContent).toContain("choose again");
  expect(find("devices")).toBeNull();
});

test("without an answer nothing is lost, and one can try again", async () => {
  server.answers.set("/consultations", () => Promise.reject(new TypeError("Failed to fetch")));
  await show();
  await fillIn();
  await press("open-consultation");
  expect(wordsOf(".form-problem")).toContain("Nothing you entered is lost.");
  expect(box("patient-name").value).toBe("张三丰");
  expect(box("open-consultation").disabled).toBe(false);
});

test("one of this patient that is open already is offered", async () => {
  const mine = consultationOf("mine", { header: "张*丰 · 男 · 57 · US-1", host: true });
  server.answers.set("/consultations", () => problem(409, "already_open"));
  server.answers.set("/consultations?state=open", () => Response.json([mine]));
  await show();
  await fillIn();
  await press("open-consultation");
  expect(at("already-open").querySelector("a")?.getAttribute("href")).toBe("#/room/room-mine");
});

test("after a reload the entries are back, except for the name, and the page says so", async () => {
  await show();
  await fillIn();
  await page.show(null);
  await show();
  expect(box("exam-number").value).toBe("US-1");
  expect(box("consent-record").checked).toBe(true);
  expect(box("patient-name").value).toBe("");
  expect(find("draft-restored")).not.toBeNull();
  await press("discard");
  expect(box("exam-number").value).toBe("");
  expect(window.sessionStorage.getItem("teleconsult.draft")).toBeNull();
});

test("lists that cannot be loaded can be asked for again", async () => {
  server.answers.set("/devices", () => problem(503, "unavailable"));
  await show();
  expect(wordsOf(".request-form")).toContain("This list cannot be loaded.");
  server.answers.set("/devices", () => Response.json([]));
  await settle(() =>
    [...document.querySelectorAll("button")].find((one) => one.textContent === "Try again")?.click(),
  );
  expect(wordsOf('[data-field="devices"]')).toContain("Your site has no capture box.");
});

test("the browser is told to remember nothing of the patient", async () => {
  await show();
  const name = box("patient-name");
  expect([name.autocomplete, name.getAttribute("spellcheck"), name.name]).toEqual(["off", "false", "who"]);
});
