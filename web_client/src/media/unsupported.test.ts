import { expect, test } from "vitest";
import type { Codec } from "./codecs";
import { unsupportedAdvice, type UnsupportedAdvice } from "./unsupported";

const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
const CHROME =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

test.each<[UnsupportedAdvice, Codec | null, string]>([
  ["turn-on-openh264", "H264", FIREFOX],
  ["other-browser", "AV1", FIREFOX],
  ["other-browser", "H264", CHROME],
  ["other-browser", null, FIREFOX],
])("%s for %s in %s", (expected, codec, userAgent) => {
  expect(unsupportedAdvice(codec, userAgent)).toBe(expected);
});
