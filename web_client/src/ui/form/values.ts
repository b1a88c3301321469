import type { ConsultationRequest, Sex } from "../../api/types";
import { conceal, maskName, maskedHeader } from "./masking";

/** What is in the form, as typed. */
export interface Values {
  name: string;
  sex: Sex | "";
  age: string;
  examNumber: string;
  specialty: string;
  question: string;
  devices: readonly string[];
  invited: readonly string[];
  consentConsult: boolean;
  consentRecord: boolean;
  record: boolean;
  recordReason: string;
  /** Empty: the usual one. */
  retentionClass: string;
}

export const EMPTY: Values = {
  name: "",
  sex: "",
  age: "",
  examNumber: "",
  specialty: "",
  question: "",
  devices: [],
  invited: [],
  consentConsult: false,
  consentRecord: false,
  record: false,
  recordReason: "",
  retentionClass: "",
};

/** In the order they stand on the page. */
export const FIELDS = [
  "name",
  "sex",
  "age",
  "examNumber",
  "specialty",
  "question",
  "devices",
  "invited",
  "consentConsult",
  "consentRecord",
  "recordReason",
  "retentionClass",
] as const;
export type Field = (typeof FIELDS)[number];

export type Mistake = "missing" | "noLetters" | "notYears" | "needed" | "refused" | "gone";
export type Mistakes = Partial<Record<Field, Mistake>>;

export const SEXES = ["male", "female", "other", "unknown"] as const satisfies readonly Sex[];
export const MAX_AGE_YEARS = 150;
export const LINE_MAX_CHARS = 100;
export const SENTENCE_MAX_CHARS = 500;
export const PROSE_MAX_CHARS = 2000;

/** Characters that change in which order text is shown; the server drops them, too. */
const REORDERING = /[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff]/g;
export const cleanLine = (text: string) =>
  text.replaceAll(REORDERING, "").normalize("NFC").replaceAll(/\s+/gu, " ").trim();

export function mistakesIn(values: Values): Mistakes {
  const mistakes: Mistakes = {};
  const name = cleanLine(values.name);
  if (name === "") mistakes.name = "missing";
  else if (maskName(name) === "*") mistakes.name = "noLetters";
  if (values.sex === "") mistakes.sex = "missing";
  if (values.age.trim() === "") mistakes.age = "missing";
  else if (yearsOf(values.age) === null) mistakes.age = "notYears";
  if (cleanLine(values.examNumber) === "") mistakes.examNumber = "missing";
  if (!values.consentConsult) mistakes.consentConsult = "needed";
  if (!isRecorded(values) && cleanLine(values.recordReason) === "") mistakes.recordReason = "missing";
  return mistakes;
}

/** Whole years; null for anything else. */
function yearsOf(age: string): number | null {
  const years = /^\d{1,3}$/.test(age.trim()) ? Number(age) : Number.NaN;
  return years <= MAX_AGE_YEARS ? years : null;
}

export const isRecorded = (values: Values) => values.consentRecord && values.record;

/** The masked identity, with gaps where nothing is entered yet. */
export function headerOf({ name, sex, age, examNumber }: Values): string {
  const [who, number] = [cleanLine(name), cleanLine(examNumber)];
  const years = yearsOf(age);
  if (who !== "" && sex !== "" && years !== null && number !== "") {
    return maskedHeader(who, sex, years, number);
  }
  const [masked, sexWord] = maskedHeader(who, sex === "" ? "unknown" : sex, 0, "").split(" · ");
  const parts = [who && masked, sex && sexWord, years === null ? "" : String(years), conceal(number, who)];
  return parts.map((part) => (part === undefined || part === "" ? "…" : part)).join(" · ");
}

/** For the server: masked here already, so that the full name stays in this browser. */
export function requestOf(values: Values): ConsultationRequest {
  const name = cleanLine(values.name);
  const hide = (text: string) => conceal(text, name);
  const record = isRecorded(values);
  return {
    patient: {
      name: maskName(name),
      sex: values.sex === "" ? "unknown" : values.sex,
      age: yearsOf(values.age) ?? 0,
      exam_number: hide(cleanLine(values.examNumber)),
    },
    specialty: hide(cleanLine(values.specialty)),
    question: hide(values.question.trim()),
    consent_consult: true,
    consent_record: values.consentRecord,
    record,
    record_reason: record ? "" : hide(cleanLine(values.recordReason)),
    retention_class: record ? values.retentionClass : "",
    devices: [...values.devices],
    invited: [...values.invited],
  };
}
