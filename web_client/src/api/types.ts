import type { ConsultationInfo, DeviceHealth, Participant } from "../protocol/messages";

/** Shapes of the REST API; `docs/design.md` and `/docs` of the service describe them. */

export interface Me {
  user_id: string;
  username: string;
  display_name: string;
  role: Participant["role"];
  organisation: string;
}

/** A consultation the signed-in person may see. */
export interface Consultation {
  consultation_id: string;
  room: string;
  /** Masked identity, never a full name. */
  header: ConsultationInfo["header"];
  specialty: string;
  question: string;
  /** Name of the organisation that opened it. */
  site: string;
  state: "open" | "closed";
  record: boolean;
  consent_record: boolean;
  record_reason: string;
  /** How long its archive is kept. */
  retention_class: string;
  opened_at_us: number;
  closed_at_us: number | null;
  /** The caller is of the site that opened it. */
  host: boolean;
  /** How many people are in the room now. */
  people: number;
}

export interface JoinedRoom {
  token: string;
  expires_in: number;
  room: string;
  consultation_id: string;
  ws_url: string;
}

export interface Tokens {
  access_token: string;
  expires_in: number;
  refresh_token: string;
}

export interface Organisation {
  organisation_id: string;
  name: string;
}

export interface Device {
  device_id: string;
  name: string;
  feeds: string[];
  disabled: boolean;
  enrolment: "none" | "enrolled" | "revoked";
  /** It was heard lately. */
  online: boolean;
  /** What it said of itself last. */
  health: DeviceHealth | null;
  troubles: ("no_signal" | "source_fails" | "not_flowing" | "clock_off" | "hot" | "disk_low")[];
}

/** Shown this once. `qr_svg`: a picture of it, made by the server. */
export interface DeviceCode {
  device_id: string;
  code: string;
  qr_svg: string;
}

/** Classes of archives. `usual`: of consultations for which none is chosen. */
export interface RetentionChoices {
  usual: string;
  /** `days` after the end the archive is destroyed. */
  classes: { name: string; days: number }[];
}

export type Sex = "male" | "female" | "other" | "unknown";

export interface ConsultationRequest {
  patient: { name: string; sex: string; age: number; exam_number: string };
  specialty: string;
  question: string;
  consent_consult: true;
  consent_record: boolean;
  record: boolean;
  record_reason: string;
  /** Empty: the usual one. */
  retention_class: string;
  /** Ids. */
  devices: string[];
  /** Organisation ids. */
  invited: string[];
}

export interface InvitationRequest {
  name: string;
  organisation: string;
  /** The guest waits until a host lets it in. */
  lobby: boolean;
  minutes: number;
}

/** `url` is shown once: the server keeps only a hash of what is in it. */
export interface NewInvitation {
  invitation_id: string;
  url: string;
  expires_at_us: number;
}

export interface Invitation {
  invitation_id: string;
  name: string;
  organisation: string;
  lobby: boolean;
  state: "open" | "used" | "expired" | "revoked";
  expires_at_us: number;
}

/** What an invitation's token is exchanged for. */
export interface Redeemed extends Tokens {
  room: string;
  consultation_id: string;
  /** Name of the organisation that invites. */
  site: string;
}
