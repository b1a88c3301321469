import { expect, test } from "vitest";
import { answerWithAudioRepair, offerWithAudioRepair } from "./audioRepair";

const TRANSPORT_CC = "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
const SEND_TIME = "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
const LEVEL = "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level";
const lines = (...parts: string[]) => parts.map((part) => `${part}\r\n`).join("");

const SESSION = ["v=0", "a=group:BUNDLE 0 1"];
const AUDIO = ["m=audio 9 UDP/TLS/RTP/SAVPF 111 63", LEVEL, SEND_TIME, TRANSPORT_CC];
const OPUS = ["a=rtpmap:111 opus/48000/2", "a=rtcp-fb:111 transport-cc"];
const VIDEO = ["m=video 9 UDP/TLS/RTP/SAVPF 96", SEND_TIME, TRANSPORT_CC, "a=rtpmap:96 VP8/90000"];

test("an offer says that sound may be asked for again, and seals nothing twice in two ways", () => {
  expect(offerWithAudioRepair(lines(...SESSION, ...AUDIO, ...OPUS, ...VIDEO))).toBe(
    lines(
      ...SESSION,
      "m=audio 9 UDP/TLS/RTP/SAVPF 111 63",
      LEVEL,
      "a=rtpmap:111 opus/48000/2",
      "a=rtcp-fb:111 nack",
      "a=rtcp-fb:111 transport-cc",
      ...VIDEO,
    ),
  );
});

test("an answer asks for repair where the offer promises it", () => {
  const offer = lines(...SESSION, ...AUDIO, "a=rtpmap:96 opus/48000/2", "a=rtcp-fb:96 nack");
  expect(answerWithAudioRepair(lines(...SESSION, ...AUDIO, ...OPUS), offer)).toBe(
    lines(
      ...SESSION,
      ...AUDIO,
      "a=rtpmap:111 opus/48000/2",
      "a=rtcp-fb:111 nack",
      "a=rtcp-fb:111 transport-cc",
    ),
  );
});

test("an answer asks for nothing that was not offered", () => {
  const answer = lines(...SESSION, ...AUDIO, ...OPUS);
  expect(answerWithAudioRepair(answer, lines(...SESSION, ...AUDIO, ...OPUS))).toBe(answer);
});

test("what already asks is left alone", () => {
  const asks = lines(...SESSION, AUDIO[0] ?? "", ...OPUS, "a=rtcp-fb:111 nack");
  expect(offerWithAudioRepair(asks)).toBe(asks);
  expect(answerWithAudioRepair(asks, asks)).toBe(asks);
});

test.each([
  "",
  "nonsense",
  lines(...SESSION),
  lines("m=audio 9 UDP/TLS/RTP/SAVPF 0", "a=rtpmap:0 PCMU/8000"),
])("%j stays as it is", (text) => {
  expect(offerWithAudioRepair(text)).toBe(text);
  expect(answerWithAudioRepair(text, text)).toBe(text);
});
