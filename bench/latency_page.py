"""What runs in the browser's page: reads the test card's time code off the pictures that are shown.

The layout of the time code is in the docstring of `edge_agents.timecode`.
"""

from __future__ import annotations

from typing import Final

WATCH: Final = """
({ every }) => {
  const COLUMNS = 48, ROWS = 2, BLOCK_PX = 4, SYNC = 0xeb90, MIN_CONTRAST = 48;
  const width = COLUMNS * BLOCK_PX, height = ROWS * BLOCK_PX;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });

  const crc = (bytes) => {
    let value = 0xffff;
    for (const byte of bytes) {
      value ^= byte << 8;
      for (let bit = 0; bit < 8; bit += 1)
        value = (value & 0x8000 ? (value << 1) ^ 0x1021 : value << 1) & 0xffff;
    }
    return value;
  };
  /** The middle of every block, row by row. */
  const levels = (pixels) => {
    const found = [];
    for (let row = 0; row < ROWS; row += 1) for (let column = 0; column < COLUMNS; column += 1) {
      let sum = 0;
      for (const y of [1, 2]) for (const x of [1, 2])
        sum += pixels[4 * ((row * BLOCK_PX + y) * width + column * BLOCK_PX + x) + 1];
      found.push(sum / 4);
    }
    return found;
  };
  /** Unix microseconds, or null. */
  const captureUs = (video) => {
    const strip = (video.videoWidth * ROWS) / COLUMNS;
    context.drawImage(video, 0, 0, video.videoWidth, strip, 0, 0, width, height);
    const seen = levels(context.getImageData(0, 0, width, height).data);
    const mean = (bit) => {
      const of = seen.slice(0, 16).filter((_, index) => ((SYNC >> (15 - index)) & 1) === bit);
      return of.reduce((sum, one) => sum + one, 0) / of.length;
    };
    const white = mean(1), black = mean(0);
    if (white - black < MIN_CONTRAST) return null;
    const bits = seen.map((one) => (one > (white + black) / 2 ? 1 : 0)), bytes = [];
    for (let at = 0; at < bits.length; at += 8)
      bytes.push(bits.slice(at, at + 8).reduce((sum, bit) => 2 * sum + bit, 0));
    const time = bytes.slice(2, 10);
    if (bytes[0] * 256 + bytes[1] !== SYNC || crc(time) !== bytes[10] * 256 + bytes[11]) return null;
    return time.reduce((sum, byte) => sum * 256 + byte, 0);
  };

  const watched = new WeakSet();
  window.latency = { samples: [], unreadable: 0, frames: 0, stop: false };
  const watch = (video) => {
    watched.add(video);
    let number = 0;
    const frame = (_now, told) => {
      if (window.latency.stop) return;
      video.requestVideoFrameCallback(frame);
      window.latency.frames += 1;
      number += 1;
      if (number % every !== 0) return;
      const capture = captureUs(video);
      if (capture === null) {
        window.latency.unreadable += 1;
        return;
      }
      window.latency.samples.push({
        feed: video.closest("[data-feed]")?.dataset.feed ?? "",
        captureUs: capture,
        rtpTimestamp: told.rtpTimestamp ?? null,
        receivedUs: told.receiveTime === undefined ? null : unixUs(told.receiveTime),
        decodingUs: told.processingDuration === undefined ? null : told.processingDuration * 1e6,
        shownUs: unixUs(told.presentationTime),
      });
    };
    video.requestVideoFrameCallback(frame);
  };
  /** The page's clock began with the machine's, which may have been corrected since. */
  const unixUs = (pageMs) => (Date.now() - performance.now() + 0.5 + pageMs) * 1000;
  for (const video of document.querySelectorAll("[data-feed] video")) if (!watched.has(video)) watch(video);
}
"""
STOP: Final = "() => { window.latency.stop = true; return window.latency; }"
FIRST_FRAMES: Final = """
async (feeds) => {
  const { feeds: shown } = await window.teleconsult.stats();
  return feeds.map((feed) => shown[feed]?.firstFrameMs ?? null);
}
"""
