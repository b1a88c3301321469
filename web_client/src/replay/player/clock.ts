/** Where a replay stands: the one clock all tracks follow. Pure: the time that passes is told. */
export class ReplayClock {
  private baseUs = 0;
  private sinceMs = 0;
  private going = false;
  private speed = 1;

  constructor(private lengthUs: number) {}

  get rate(): number {
    return this.speed;
  }

  /** Time passes: neither paused nor held. */
  get running(): boolean {
    return this.going;
  }

  at(nowMs: number): number {
    const passed = this.going ? (nowMs - this.sinceMs) * 1000 * this.speed : 0;
    return Math.min(this.lengthUs, Math.max(0, this.baseUs + passed));
  }

  run(nowMs: number): void {
    if (this.going) return;
    this.sinceMs = nowMs;
    this.going = true;
  }

  hold(nowMs: number): void {
    this.rebase(nowMs);
    this.going = false;
  }

  seek(toUs: number, nowMs: number): void {
    this.baseUs = Math.min(this.lengthUs, Math.max(0, toUs));
    this.sinceMs = nowMs;
  }

  setRate(rate: number, nowMs: number): void {
    this.rebase(nowMs);
    this.speed = rate;
  }

  /** The consultation goes on. */
  setLength(lengthUs: number): void {
    this.lengthUs = lengthUs;
  }

  private rebase(nowMs: number): void {
    this.baseUs = this.at(nowMs);
    this.sinceMs = nowMs;
  }
}
