import { expect, test } from "vitest";
import { layeredCodecs, pictureEncodings, restedEncodings } from "./layers";

const sized = (width: number, height: number) => ({ getSettings: () => ({ width, height }) });
const layersOf = (width: number, height: number) =>
  pictureEncodings("camera", sized(width, height)).map(({ rid, scaleResolutionDownBy, maxBitrate }) => [
    rid,
    scaleResolutionDownBy,
    maxBitrate,
  ]);

const THREE = [
  ["q", 4, 150_000],
  ["h", 2, 500_000],
  ["f", 1, 1_500_000],
];
const TWO = [
  ["h", 2, 200_000],
  ["f", 1, 800_000],
];

test.each([
  [1920, 1080, THREE],
  [1280, 720, THREE],
  [1278, 719, TWO],
  [640, 480, TWO],
  [640, 360, TWO],
  [320, 240, [[undefined, undefined, 400_000]]],
  // A telephone held upright is no better for it.
  [720, 1280, THREE],
  [360, 640, TWO],
])("a camera of %s × %s is sent in layers by its size", (width, height, expected) => {
  expect(layersOf(width, height)).toEqual(expected);
});

test("a camera that is switched off will be a usual one", () => {
  expect(pictureEncodings("camera", null)).toHaveLength(3);
  expect(pictureEncodings("camera", { getSettings: () => ({}) })).toHaveLength(3);
});

test("a screen is sent once, sharp", () => {
  expect(pictureEncodings("screen", sized(1920, 1080))).toEqual([
    { maxBitrate: 5_000_000, maxFramerate: 30 },
  ]);
});

test("every layer is bounded in rate, and the largest costs most", () => {
  for (const [width, height] of [
    [1920, 1080],
    [640, 480],
  ] as const) {
    const encodings = pictureEncodings("camera", sized(width, height));
    const bitrates = encodings.map(({ maxBitrate }) => maxBitrate ?? 0);
    expect(bitrates).toEqual([...bitrates].sort((a, b) => a - b));
    expect(encodings.every(({ maxFramerate }) => maxFramerate === 30)).toBe(true);
  }
});

test.each<[string[], (boolean | undefined)[] | null]>([
  [["q"], [true, false, false]],
  [
    ["q", "f"],
    [true, false, true],
  ],
  // All of them when none is listed.
  [[], [false, false, false]],
  [["q", "h", "f"], null],
])("of all layers, %j are wanted", (wanted, expected) => {
  const encodings = pictureEncodings("camera", sized(1280, 720));
  expect(restedEncodings(encodings, wanted)?.map(({ active }) => active) ?? null).toEqual(expected);
});

test("what rests goes on when it is wanted again, with nothing else changed", () => {
  const encodings = pictureEncodings("camera", sized(1280, 720));
  const rested = restedEncodings(encodings, ["q"]) ?? expect.fail("nothing rests");
  expect(restedEncodings(rested, ["q"])).toBeNull();
  expect(restedEncodings(rested, ["q", "h", "f"])).toEqual(
    encodings.map((one) => ({ ...one, active: true })),
  );
});

test("a picture without layers never rests: there would be nothing left", () => {
  expect(restedEncodings(pictureEncodings("screen", null), ["q"])).toBeNull();
});

test("layers are sent in codecs that every browser can send so, and repaired", () => {
  const mimeTypes = ["video/VP8", "video/rtx", "video/VP9", "video/H264", "video/AV1", "video/ulpfec"];
  const codecs = mimeTypes.map((mimeType) => ({ mimeType }));
  expect(layeredCodecs(codecs).map(({ mimeType }) => mimeType)).toEqual([
    "video/VP8",
    "video/rtx",
    "video/H264",
    "video/ulpfec",
  ]);
});
