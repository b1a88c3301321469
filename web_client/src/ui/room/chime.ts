const NOTES_HZ = [660, 880];
const NOTE_S = 0.18;
/** Heard beside a conversation, not above it. */
const LOUDNESS = 0.04;

/** Two quiet notes: somebody knocks. Never throws; silent where the browser allows no sound yet. */
export function chime(create: () => AudioContext = () => new AudioContext()): void {
  try {
    const context = create();
    const { currentTime } = context;
    NOTES_HZ.forEach((frequency, index) => {
      note(context, frequency, currentTime + index * NOTE_S);
    });
    setTimeout(
      () => {
        context.close().catch(() => undefined);
      },
      (NOTES_HZ.length * NOTE_S + 0.5) * 1000,
    );
  } catch {
    // No sound output here: the notice says it, too.
  }
}

function note(context: AudioContext, frequency: number, startS: number): void {
  const tone = context.createOscillator();
  const volume = context.createGain();
  tone.frequency.value = frequency;
  volume.gain.setValueAtTime(0, startS);
  volume.gain.linearRampToValueAtTime(LOUDNESS, startS + 0.02);
  volume.gain.linearRampToValueAtTime(0, startS + NOTE_S);
  tone.connect(volume).connect(context.destination);
  tone.start(startS);
  tone.stop(startS + NOTE_S);
}
