import type { OwnSource } from "./publisher";

type Picture = Exclude<OwnSource, "microphone">;
type Sized = Pick<MediaStreamTrack, "getSettings">;

interface Layer {
  rid: "f" | "h" | "q";
  /** By how much both sides are divided. */
  scale: number;
  maxBitrateBps: number;
}

/**
 * Full, half and quarter of a camera's picture, by its shorter side: a face or a room must not crowd out a device's
 * picture. The smallest is first: that one is kept when the way there is narrow.
 */
const CAMERA_LAYERS: readonly { fromPx: number; layers: readonly Layer[] }[] = [
  {
    fromPx: 720,
    layers: [
      { rid: "q", scale: 4, maxBitrateBps: 150_000 },
      { rid: "h", scale: 2, maxBitrateBps: 500_000 },
      { rid: "f", scale: 1, maxBitrateBps: 1_500_000 },
    ],
  },
  {
    fromPx: 360,
    layers: [
      { rid: "h", scale: 2, maxBitrateBps: 200_000 },
      { rid: "f", scale: 1, maxBitrateBps: 800_000 },
    ],
  },
  { fromPx: 0, layers: [{ rid: "f", scale: 1, maxBitrateBps: 400_000 }] },
];
/** An X-ray or an ECG at 1080p, sharp. A small copy of it would help nobody. */
const SCREEN_LAYERS: readonly Layer[] = [{ rid: "f", scale: 1, maxBitrateBps: 5_000_000 }];
const MAX_FRAME_RATE = 30;

/** Where the computer cannot keep up, a screen stays sharp; a camera gives up a little of both. */
export const DEGRADATION: Record<Picture, RTCDegradationPreference> = {
  camera: "balanced",
  screen: "maintain-resolution",
};

/** How a picture is sent. A camera of unknown size, such as one that is switched off, counts as a usual one. */
export function pictureEncodings(source: Picture, track: Sized | null): RTCRtpEncodingParameters[] {
  const layers = source === "screen" ? SCREEN_LAYERS : cameraLayers(track);
  return layers.map(({ rid, scale, maxBitrateBps }) => ({
    ...(layers.length > 1 ? { rid, scaleResolutionDownBy: scale } : {}),
    maxBitrate: maxBitrateBps,
    maxFramerate: MAX_FRAME_RATE,
  }));
}

function cameraLayers(track: Sized | null): readonly Layer[] {
  const { width, height } = track?.getSettings() ?? {};
  const side = width === undefined || height === undefined ? Infinity : Math.min(width, height);
  return CAMERA_LAYERS.find(({ fromPx }) => side >= fromPx)?.layers ?? [];
}

/**
 * The encodings with just those active that are wanted; null when they are so already. Without layers there is
 * nothing to rest.
 */
export function restedEncodings(
  encodings: readonly RTCRtpEncodingParameters[],
  wantedRids: readonly string[],
): RTCRtpEncodingParameters[] | null {
  if (encodings.length < 2) return null;
  const isWanted = ({ rid }: RTCRtpEncodingParameters) => rid === undefined || wantedRids.includes(rid);
  if (encodings.every((one) => (one.active ?? true) === isWanted(one))) return null;
  return encodings.map((one) => ({ ...one, active: isWanted(one) }));
}

const LAYERED = ["video/vp8", "video/h264"];
const HELPERS = ["video/rtx", "video/red", "video/ulpfec", "video/flexfec-03"];

/** Codecs that every browser sends in layers, the browser's favourite first, and what repairs them. */
export function layeredCodecs<C extends { mimeType: string }>(codecs: readonly C[]): C[] {
  const known = [...LAYERED, ...HELPERS];
  return codecs.filter(({ mimeType }) => known.includes(mimeType.toLowerCase()));
}
