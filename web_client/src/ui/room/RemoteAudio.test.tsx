// @vitest-environment happy-dom
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RemoteAudio } from "./RemoteAudio";

let root: Root;
const play = vi.fn<() => Promise<void>>();

beforeEach(() => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  play.mockReset().mockResolvedValue(undefined);
  vi.spyOn(HTMLMediaElement.prototype, "play").mockImplementation(play);
  root = createRoot(document.body.appendChild(document.createElement("div")));
});
afterEach(() => {
  act(() => {
    root.unmount();
  });
  document.body.replaceChildren();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

test("a voice that the browser paused, as when a headset goes, is heard again; or it says that it is not", async () => {
  const blocked: boolean[] = [];
  const voice = { trackId: "v", track: {} as MediaStreamTrack, stream: new MediaStream() };
  await act(async () => {
    root.render(<RemoteAudio audio={[voice]} attempt={0} onBlocked={(now) => blocked.push(now)} />);
    await Promise.resolve();
  });
  expect(blocked).toEqual([false]);
  play.mockRejectedValueOnce(new DOMException("click first", "NotAllowedError"));
  await act(async () => {
    document.querySelector("audio")?.dispatchEvent(new Event("pause"));
    await Promise.resolve();
  });
  expect(play).toHaveBeenCalledTimes(2);
  expect(blocked).toEqual([false, true]);
});
