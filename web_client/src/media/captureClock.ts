import type { CaptureClock } from "../protocol/messages";

const RTP_MODULUS = 2 ** 32;

export type ClockMapping = Pick<CaptureClock, "rtp_timestamp" | "clock_rate" | "capture_time_us">;

/**
 * Capture time (Unix µs) of the frame with this RTP timestamp.
 *
 * The nearest of the timestamps that are equal modulo 2³² is meant, so frames from just before the mapping's own
 * moment come out just before it.
 */
export function captureTimeUs(mapping: ClockMapping, rtpTimestamp: number): number {
  const forward = (((rtpTimestamp - mapping.rtp_timestamp) % RTP_MODULUS) + RTP_MODULUS) % RTP_MODULUS;
  const ticks = forward >= RTP_MODULUS / 2 ? forward - RTP_MODULUS : forward;
  return mapping.capture_time_us + (ticks * 1_000_000) / mapping.clock_rate;
}
