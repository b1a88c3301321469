import type { Calibration, Change, Mark } from "../protocol/messages";

/**
 * Pure: the drawings of one feed, as the server ordered them. The same as `annotation/replica.py`; both are run on
 * `tests/vectors/annotation`. Marks are replaced, never changed, so that what was made of one can be kept with it.
 */
export class Replica {
  /** By id, in the order in which they are drawn. */
  readonly marks = new Map<string, Mark>();
  calibration: Calibration | null = null;

  constructor(
    public documentId = "",
    public seq = 0,
  ) {}

  /** Everything anew, as the server has it. */
  load(documentId: string, seq: number, marks: readonly Mark[], calibration: Calibration | null): void {
    this.documentId = documentId;
    this.seq = seq;
    this.calibration = calibration;
    this.marks.clear();
    for (const mark of marks) this.marks.set(mark.mark_id, mark);
  }

  /** False: something was missed before it, and has to be asked for. What is known already changes nothing. */
  apply(documentId: string, change: Change): boolean {
    if (documentId !== this.documentId) return false;
    if (change.seq <= this.seq) return true;
    if (change.seq !== this.seq + 1 || !this.fits(change)) return false;
    this.seq = change.seq;
    for (const id of change.removed) this.marks.delete(id);
    for (const mark of change.put) this.marks.set(mark.mark_id, mark);
    this.extend(change);
    if (change.op === "calibrate") this.calibration = change.calibration;
    return true;
  }

  /** A stroke grows from where it ended here. */
  private fits({ extended }: Change): boolean {
    return extended === null || this.marks.get(extended.mark_id)?.points.length === 2 * extended.start;
  }

  private extend({ extended }: Change): void {
    const mark = extended === null ? undefined : this.marks.get(extended.mark_id);
    if (extended === null || mark === undefined) return;
    this.marks.set(mark.mark_id, {
      ...mark,
      points: [...mark.points, ...extended.points],
      pressures: [...mark.pressures, ...extended.pressures],
      changed_us: extended.changed_us,
    });
  }
}
