import { describe, expect, it } from "vitest";
import type { Track } from "../../replay/player/timeline";
import { unplayable } from "./codecs";

const track = (...codecs: string[]) =>
  ({ generations: codecs.map((codec) => ({ codec })) }) as unknown as Track;

describe("codecs that this browser does not play", () => {
  it("are named once, and only those that the archive needs", () => {
    const tracks = [track("H264", "VP9"), track("H264"), track("opus")];
    expect(unplayable({ tracks }, (mime) => !mime.includes("avc1"))).toEqual(["H264"]);
    expect(unplayable({ tracks }, () => true)).toEqual([]);
  });
});
