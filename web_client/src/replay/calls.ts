import type { Session } from "../api/session";

/** One archived consultation, as the service lists it. What it says of the archive is not verified. */
export interface ArchiveItem {
  consultation_id: string;
  header: string;
  specialty: string;
  site: string;
  opened_at_us: number;
  closed_at_us: number | null;
  state: "recording" | "closed" | "missing";
  length_us: number | null;
  objects: number | null;
  size_bytes: number | null;
  /** How long it is kept. */
  retention_class: string;
}

/** How many the service gives at once. */
export const PAGE_ITEMS = 100;

/** Newest first. Throws `ApiError`. */
export const listArchives = (session: Session, beforeUs: number | null) =>
  session.request<ArchiveItem[]>(beforeUs === null ? "/archives" : `/archives?before_us=${beforeUs}`);
