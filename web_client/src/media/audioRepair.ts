/**
 * Browsers repair lost video but not lost sound unless the description says so: Chromium knows NACK for Opus, yet
 * neither offers nor answers it by itself. Pure text in, text out.
 */

const OPUS = /^a=rtpmap:(\d+) opus\/48000\/2\r?$/im;
const CHANGED_BY_RESENDING = [
  "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
  "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
];

/** m-lines with what belongs to them, the session's part first. */
function sections(sdp: string): string[] {
  return sdp.split(/^(?=m=)/m);
}

function mapAudio(sdp: string, change: (section: string) => string): string {
  return sections(sdp)
    .map((section) => (section.startsWith("m=audio") ? change(section) : section))
    .join("");
}

function addNack(section: string): string {
  const payloadType = OPUS.exec(section)?.[1];
  if (payloadType === undefined) return section;
  if (new RegExp(`^a=rtcp-fb:${payloadType} nack\\r?$`, "m").test(section)) return section;
  return section.replace(OPUS, (line) => `${line.trimEnd()}\r\na=rtcp-fb:${payloadType} nack${ending(line)}`);
}

const ending = (line: string) => (line.endsWith("\r") ? "\r" : "");

/** An answer of ours that asks for lost sound again. Only for offers that promise to resend it. */
export function answerWithAudioRepair(answer: string, offer: string): string {
  const promised = sections(offer)
    .filter((section) => section.startsWith("m=audio"))
    .every((section) => /^a=rtcp-fb:\d+ nack\r?$/m.test(section));
  return promised ? mapAudio(answer, addNack) : answer;
}

/**
 * An offer of ours that lets lost sound be asked for again.
 *
 * Without RTX a resent packet is sealed a second time under its old number. With AES-GCM that gives the
 * authentication key away unless it is the very same packet (RFC 7714 §9.1), so the header extensions that change
 * with the time of sending are left out for sound.
 */
export function offerWithAudioRepair(offer: string): string {
  return mapAudio(offer, (section) =>
    CHANGED_BY_RESENDING.reduce(
      (text, uri) => text.replace(new RegExp(`^a=extmap:\\d+(/\\w+)? ${escaped(uri)}\\r?\\n`, "m"), ""),
      addNack(section),
    ),
  );
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
