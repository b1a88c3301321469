import { expect, test } from "vitest";
import { knownCodecs } from "./codecs";

test("a browser's list becomes ours: each codec once, in its order, without repair formats", () => {
  const chromium = [
    "video/VP8",
    "video/rtx",
    "video/VP9",
    "video/H264",
    "video/H264",
    "video/AV1",
    "video/ulpfec",
  ];
  expect(knownCodecs([...chromium, "audio/opus", "audio/PCMU"])).toEqual([
    "VP8",
    "VP9",
    "H264",
    "AV1",
    "opus",
  ]);
});

test("a Firefox without its H.264 module says so", () => {
  expect(knownCodecs(["video/VP8", "video/VP9", "audio/opus"])).not.toContain("H264");
});
