/** A tile with its caption fills the screen, so that name, age and state stay in sight. Again: back. */
export function toggleFullScreen(feedId: string): void {
  const tile = document.getElementById(`tile-${feedId}`);
  if (document.fullscreenElement !== null) void document.exitFullscreen();
  // Refused by policy or on iPhones: the picture simply stays where it is.
  else void tile?.requestFullscreen().catch(() => undefined);
}
