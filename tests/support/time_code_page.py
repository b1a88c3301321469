"""What a page shows, read off its pixels: the test card's time code, and whether a place is inked.

The layout of the time code is in the docstring of `edge_agents.timecode`.
"""

from __future__ import annotations

from typing import Final

SCRIPT: Final = """
(() => {
  const COLUMNS = 48, ROWS = 2, BLOCK_PX = 4, SYNC = 0xeb90;
  const small = document.createElement("canvas");
  small.width = COLUMNS * BLOCK_PX;
  small.height = ROWS * BLOCK_PX;
  const context = small.getContext("2d", { willReadFrequently: true });
  const crc = (bytes) => {
    let value = 0xffff;
    for (const byte of bytes) {
      value ^= byte << 8;
      for (let bit = 0; bit < 8; bit += 1)
        value = (value & 0x8000 ? (value << 1) ^ 0x1021 : value << 1) & 0xffff;
    }
    return value;
  };
  /** Unix µs of the frame whose picture is `width` wide at (left, top) of `source`; null: unreadable. */
  const readCode = (source, left, top, width) => {
    context.clearRect(0, 0, small.width, small.height);
    context.drawImage(source, left, top, width, (width * ROWS) / COLUMNS, 0, 0, small.width, small.height);
    const { data } = context.getImageData(0, 0, small.width, small.height);
    const levels = [];
    for (let row = 0; row < ROWS; row += 1) for (let column = 0; column < COLUMNS; column += 1) {
      let sum = 0;
      for (const y of [1, 2]) for (const x of [1, 2])
        sum += data[4 * ((row * BLOCK_PX + y) * small.width + column * BLOCK_PX + x) + 1];
      levels.push(sum / 4);
    }
    const mean = (bit) => {
      const of = levels.slice(0, 16).filter((_, index) => ((SYNC >> (15 - index)) & 1) === bit);
      return of.reduce((sum, one) => sum + one, 0) / of.length;
    };
    const [white, black] = [mean(1), mean(0)];
    if (white - black < 48) return null;
    const bits = levels.map((one) => (one > (white + black) / 2 ? 1 : 0));
    const bytes = [];
    for (let at = 0; at < bits.length; at += 8)
      bytes.push(bits.slice(at, at + 8).reduce((sum, bit) => 2 * sum + bit, 0));
    const time = bytes.slice(2, 10);
    if (bytes[0] * 256 + bytes[1] !== SYNC || crc(time) !== bytes[10] * 256 + bytes[11]) return null;
    return time.reduce((sum, byte) => sum * 256 + byte, 0);
  };
  const canvasOf = (feed) => document.querySelector(`[data-testid="drawing-${feed}"]`);
  const videoOf = (feed) => canvasOf(feed)?.closest(".picture").querySelector("video");
  /** Where the picture is on its canvas, in the canvas' pixels. */
  const placed = (canvas, video) => {
    const scale = Math.min(canvas.width / video.videoWidth, canvas.height / video.videoHeight);
    const [width, height] = [video.videoWidth * scale, video.videoHeight * scale];
    return { left: (canvas.width - width) / 2, top: (canvas.height - height) / 2, width, height };
  };
  /** Calls `note` with each frame that the page is told of, and with the time code in that very frame. The
      video may show the next one by then: that is not read, and the code is null. */
  const onFrames = (feed, note) => {
    const video = videoOf(feed);
    const look = (_now, told) => {
      const frame = new VideoFrame(video);
      const same = Math.abs(frame.timestamp - told.mediaTime * 1e6) < 1000;
      const code = same ? readCode(frame, 0, 0, frame.displayWidth) : null;
      frame.close();
      note(told, code);
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  };
  window.look = {
    canvasOf, videoOf, placed, onFrames,
    videoCode: (feed) => readCode(videoOf(feed), 0, 0, videoOf(feed).videoWidth),
    /** Of a frame that is painted on the canvas itself. */
    canvasCode: (feed) => {
      const { left, top, width } = placed(canvasOf(feed), videoOf(feed));
      return readCode(canvasOf(feed), left, top, width);
    },
    inked: (feed, x, y) => {
      const canvas = canvasOf(feed), at = placed(canvas, videoOf(feed));
      const [px, py] = [Math.round(at.left + x * at.width), Math.round(at.top + y * at.height)];
      const { data } = canvas.getContext("2d").getImageData(px - 1, py - 1, 3, 3);
      return data.some((value, index) => index % 4 === 3 && value > 60);
    },
  };
  // What is on a canvas is looked at when all that draw with this frame have drawn: so it comes on screen.
  const real = window.requestAnimationFrame.bind(window);
  let waiting = new Map(), ids = 0;
  const drawAll = (now) => {
    const drawing = waiting;
    waiting = new Map();
    for (const draw of drawing.values()) draw(now);
    for (const look of window.afterDrawing) look(now);
  };
  window.afterDrawing = [];
  window.requestAnimationFrame = (draw) => {
    if (waiting.size === 0) real(drawAll);
    waiting.set((ids += 1), draw);
    return ids;
  };
  window.cancelAnimationFrame = (id) => waiting.delete(id);
})();
"""
"""For the page to run before its own scripts: `window.look`; `window.afterDrawing` is a list of functions."""
