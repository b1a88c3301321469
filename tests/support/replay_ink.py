"""Reads the ink on a replayed picture off its pixels."""

from __future__ import annotations

from typing import Final

INK: Final = """([track, x, y, layer = 'drawing']) => {
  const canvas = document.querySelector(`[data-testid="replay-${layer}-${track}"]`);
  if (canvas === null || canvas.width === 0) return false;
  const under = canvas.closest('.replay-screen').querySelector('video, .replay-still > canvas');
  const [width, height] = [under.videoWidth ?? under.width, under.videoHeight ?? under.height];
  const scale = Math.min(canvas.width / width, canvas.height / height);
  const [w, h] = [width * scale, height * scale];
  const [left, top] = [(canvas.width - w) / 2 + x * w, (canvas.height - h) / 2 + y * h];
  window.inkReader ??= document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  window.inkReader.clearRect(0, 0, 1, 1);
  window.inkReader.drawImage(canvas, Math.round(left), Math.round(top), 1, 1, 0, 0, 1, 1);
  const { data } = window.inkReader.getImageData(0, 0, 1, 1);
  return data[3] > 200 && data[0] > 200 && data[1] < 60 && data[2] > 200;
}"""
"""Is #ff00ff there? Of a track: the place, and which layer, `drawing` or `still-drawing`."""
