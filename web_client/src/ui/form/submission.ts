import { listConsultations, openConsultation } from "../../api/calls";
import { ApiError } from "../../api/http";
import type { Session } from "../../api/session";
import type { Field } from "./values";
import { requestOf, type Values } from "./values";

/** How an attempt to open a consultation ended. */
export type Result =
  | { kind: "opened"; room: string }
  /** One of this patient is open already. */
  | { kind: "exists"; room: string | null }
  /** The server does not take this field; `gone`: what was chosen there is not to be had any more. */
  | { kind: "field"; field: Field; gone: boolean }
  | { kind: "trouble"; trouble: Trouble };
export type Trouble = "unreachable" | "throttled" | "forbidden" | "refused" | "signedOut";

const FIELD_OF_BODY: Record<string, Field> = {
  "patient.name": "name",
  "patient.sex": "sex",
  "patient.age": "age",
  "patient.exam_number": "examNumber",
  specialty: "specialty",
  question: "question",
  devices: "devices",
  invited: "invited",
  consent_consult: "consentConsult",
  consent_record: "consentRecord",
  record_reason: "recordReason",
  retention_class: "retentionClass",
};

/**
 * Opens consultations, never two for one form: while one attempt runs there is no other, and when an answer got
 * lost, the next attempt finds what the lost one opened (the server refuses a second one of the same patient).
 */
export class Submission {
  private running = false;
  /** Header of the form whose answer got lost. */
  private uncertain: string | null = null;

  constructor(private readonly session: Session) {}

  /** Null when another attempt is under way. */
  async open(values: Values, header: string): Promise<Result | null> {
    if (this.running) return null;
    this.running = true;
    try {
      const { room } = await openConsultation(this.session, requestOf(values));
      return { kind: "opened", room };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return await this.explain(error, header);
    } finally {
      this.running = false;
    }
  }

  private async explain(error: ApiError, header: string): Promise<Result> {
    if (error.code === "already_open") return this.existing(header);
    if (error.status === 0 || error.status >= 500) this.uncertain = header;
    return fieldOf(error) ?? { kind: "trouble", trouble: troubleOf(error) };
  }

  private async existing(header: string): Promise<Result> {
    const room = await this.roomOf(header);
    if (room !== null && this.uncertain === header) return { kind: "opened", room };
    return { kind: "exists", room };
  }

  private async roomOf(header: string): Promise<string | null> {
    try {
      const open = await listConsultations(this.session, "open");
      return open.find((one) => one.host && one.header === header)?.room ?? null;
    } catch (error) {
      if (error instanceof ApiError) return null;
      throw error;
    }
  }
}

function fieldOf({ status, code, detail }: ApiError): Result | null {
  if (code === "device_not_found" || code === "device_disabled") {
    return { kind: "field", field: "devices", gone: true };
  }
  if (code === "class_not_active") return { kind: "field", field: "retentionClass", gone: true };
  if (code === "organisation_not_found") return { kind: "field", field: "invited", gone: true };
  if (status !== 422) return null;
  const path = /^[a-z_.]+/.exec(detail)?.[0].replace(/\.$/, "") ?? "";
  const field = FIELD_OF_BODY[path];
  return field === undefined ? null : { kind: "field", field, gone: false };
}

function troubleOf(error: ApiError): Trouble {
  if (error.status === 429) return "throttled";
  if (error.isTemporary) return "unreachable";
  if (error.status === 401) return "signedOut";
  return error.status === 403 ? "forbidden" : "refused";
}
