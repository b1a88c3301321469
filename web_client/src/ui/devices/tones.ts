import { audioContext } from "../../media/level";

const TONES_HZ = [392, 523, 659];
const TONE_S = 0.28;
const GAP_S = 0.06;
const LOUDNESS = 0.35;
const FADE_S = 0.03;

/** Elements on which the output can be chosen; TypeScript's library has it as always there. */
export const canChooseSpeaker = () => "setSinkId" in HTMLMediaElement.prototype;

/** Plays three rising tones through a loudspeaker ("" is the system's). Rejects when that cannot be done. */
export async function playTestSound(speakerId: string): Promise<void> {
  const context = audioContext();
  await context.resume();
  const out = context.createMediaStreamDestination();
  const element = new Audio();
  element.srcObject = out.stream;
  if (speakerId !== "" && canChooseSpeaker()) await element.setSinkId(speakerId);
  await element.play();
  const beginS = context.currentTime + GAP_S;
  const tones = TONES_HZ.map((hertz, n) => tone(context, out, hertz, beginS + n * (TONE_S + GAP_S)));
  await new Promise<void>((resolve) => {
    const last = tones.at(-1);
    if (last)
      last.onended = () => {
        resolve();
      };
  });
  element.pause();
  element.srcObject = null;
}

/** Fades in and out: an abrupt tone clicks. */
function tone(context: AudioContext, out: AudioNode, hertz: number, atS: number): OscillatorNode {
  const oscillator = context.createOscillator();
  const gain = context.createGain();
  oscillator.frequency.value = hertz;
  gain.gain.setValueAtTime(0, atS);
  gain.gain.linearRampToValueAtTime(LOUDNESS, atS + FADE_S);
  gain.gain.setValueAtTime(LOUDNESS, atS + TONE_S - FADE_S);
  gain.gain.linearRampToValueAtTime(0, atS + TONE_S);
  oscillator.connect(gain).connect(out);
  oscillator.start(atS);
  oscillator.stop(atS + TONE_S);
  return oscillator;
}
