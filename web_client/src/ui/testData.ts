import type { Consultation, Me } from "../api/types";

/** For tests. */

export const consultationOf = (id: string, over: Partial<Consultation> = {}): Consultation => ({
  consultation_id: id,
  room: `room-${id}`,
  header: "张*三 · 男 · 57 · US-20417",
  specialty: "",
  question: "",
  site: "County Hospital",
  state: "open",
  record: true,
  consent_record: true,
  record_reason: "",
  retention_class: "standard",
  opened_at_us: 0,
  closed_at_us: null,
  host: false,
  people: 0,
  ...over,
});

export const meOf = (role: Me["role"]): Me => ({
  user_id: "u_1",
  username: "wang",
  display_name: "Dr Wang",
  role,
  organisation: "County Hospital",
});
