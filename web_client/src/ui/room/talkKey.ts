/** A press shorter than this is a tap. */
const TAP_MS = 350;

/**
 * One key for both habits: held, it opens the microphone for as long; tapped, it switches it. Pure.
 *
 * The microphone opens on the press in either case, so that no first syllable is lost.
 */
export class TalkKey {
  private down: { sinceMs: number; wasTalking: boolean } | null = null;

  get isDown(): boolean {
    return this.down !== null;
  }

  /** Returns true when the microphone has to be opened now. */
  pressed(isTalking: boolean, nowMs: number): boolean {
    this.down = { sinceMs: nowMs, wasTalking: isTalking };
    return !isTalking;
  }

  /**
   * Returns true when the microphone has to be closed now. Also for a window that lost the keyboard meanwhile, as it
   * does when the browser asks for permission: that press was a tap. `holdOnly`: only a held key opens it, and every
   * release closes it.
   */
  released(nowMs: number, holdOnly = false): boolean {
    const { down } = this;
    this.down = null;
    if (down === null) return false;
    if (holdOnly) return true;
    const tapped = nowMs - down.sinceMs < TAP_MS;
    return tapped ? down.wasTalking : !down.wasTalking;
  }
}
