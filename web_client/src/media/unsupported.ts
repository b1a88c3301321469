import type { Codec } from "./codecs";

/** What helps somebody whose browser cannot decode a picture. */
export type UnsupportedAdvice = "turn-on-openh264" | "other-browser";

/** Firefox downloads its H.264 decoder as a plug-in, which hospital networks and settings often prevent. */
export function unsupportedAdvice(codec: Codec | null, userAgent: string): UnsupportedAdvice {
  return codec === "H264" && /\bFirefox\//.test(userAgent) ? "turn-on-openh264" : "other-browser";
}
