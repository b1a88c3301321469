import type {
  Consultation,
  ConsultationRequest,
  Device,
  DeviceCode,
  Invitation,
  InvitationRequest,
  NewInvitation,
  Organisation,
  RetentionChoices,
} from "./types";
import type { Session } from "./session";

/** The signed-in person's calls, one function each. All throw `ApiError`. */

const post = (body: unknown) => ({ method: "POST" as const, body });
const at = (consultationId: string) => `/consultations/${encodeURIComponent(consultationId)}`;

export const listConsultations = (session: Session, state: "open" | "closed") =>
  session.request<Consultation[]>(`/consultations?state=${state}`);

export const consultation = (session: Session, id: string) => session.request<Consultation>(at(id));

export const openConsultation = (session: Session, request: ConsultationRequest) =>
  session.request<Consultation>("/consultations", post(request));

export const closeConsultation = (session: Session, id: string) =>
  session.request<Consultation>(`${at(id)}/close`, post({}));

export const inviteOrganisation = (session: Session, id: string, organisationId: string) =>
  session.request<null>(`${at(id)}/organisations`, post({ organisation_id: organisationId }));

/** The inviting one first. */
export const listTakingPart = (session: Session, id: string) =>
  session.request<Organisation[]>(`${at(id)}/organisations`);

/** The boxes that may publish there. */
export const listAttached = (session: Session, id: string) => session.request<Device[]>(`${at(id)}/devices`);

export const attachDevice = (session: Session, id: string, deviceId: string) =>
  session.request<null>(`${at(id)}/devices`, post({ device_id: deviceId }));

export const detachDevice = (session: Session, id: string, deviceId: string) =>
  session.request<null>(`${at(id)}/devices/${encodeURIComponent(deviceId)}`, { method: "DELETE" });

export const createInvitation = (session: Session, id: string, request: InvitationRequest) =>
  session.request<NewInvitation>(`${at(id)}/invitations`, post(request));

export const listInvitations = (session: Session, id: string) =>
  session.request<Invitation[]>(`${at(id)}/invitations`);

export const revokeInvitation = (session: Session, id: string, invitationId: string) =>
  session.request<null>(`${at(id)}/invitations/${encodeURIComponent(invitationId)}`, { method: "DELETE" });

export const listOrganisations = (session: Session) => session.request<Organisation[]>("/organisations");

export const listDevices = (session: Session) => session.request<Device[]>("/devices");

export const addBox = (session: Session, name: string, feeds: string[]) =>
  session.request<DeviceCode>("/devices", post({ name, feeds }));

/** Another code; the one before counts no more. */
export const newBoxCode = (session: Session, id: string) =>
  session.request<DeviceCode>(`/devices/${encodeURIComponent(id)}/code`, post({}));

/** Its key is void: its pictures end at once. */
export const revokeBox = (session: Session, id: string) =>
  session.request<null>(`/devices/${encodeURIComponent(id)}/revoke`, post({}));

export const retentionChoices = (session: Session) => session.request<RetentionChoices>("/retention-choices");

/** Ends the person's other sessions, too. */
export const changePassword = (session: Session, password: string, newPassword: string) =>
  session.request<null>("/auth/password", post({ password, new_password: newPassword }));

/** The person's sign-ins on other machines and in other tabs end. */
export const signOutElsewhere = (session: Session) => session.request<null>("/auth/logout-others", post({}));
