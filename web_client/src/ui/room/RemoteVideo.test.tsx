// @vitest-environment happy-dom
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RemoteVideo } from "./RemoteVideo";

let root: Root;
let shown: [string, number | null][];
let seen: (() => boolean) | null;
let frame: VideoFrameRequestCallback | null;

const monitor = {
  frameShown: (trackId: string, rtp: number | null) => shown.push([trackId, rtp]),
  shownBy: (_: string, isVisible: () => boolean) => {
    seen = isVisible;
    return () => {
      seen = null;
    };
  },
};

beforeEach(() => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  [shown, seen, frame] = [[], null, null];
  const prototype = HTMLVideoElement.prototype;
  Object.assign(prototype, {
    requestVideoFrameCallback: (callback: VideoFrameRequestCallback) => {
      frame = callback;
      return 1;
    },
    cancelVideoFrameCallback: () => {
      frame = null;
    },
  });
  const place = document.body.appendChild(document.createElement("div"));
  root = createRoot(place);
});
afterEach(() => {
  act(() => {
    root.unmount();
  });
  document.body.replaceChildren();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const placed = new Set<string>();
const viewing = {
  place: ({ trackId }: { trackId: string }) => {
    placed.add(trackId);
    return () => placed.delete(trackId);
  },
  changed: () => undefined,
};

const draw = (trackId: string) => {
  act(() => {
    root.render(
      <RemoteVideo stream={new MediaStream()} monitor={monitor} trackId={trackId} viewing={viewing} />,
    );
  });
  return document.querySelector("video") ?? expect.fail("no picture");
};

test("every frame is told of, under the name of the track that is shown", () => {
  draw("t-1");
  frame?.(0, { expectedDisplayTime: 0, rtpTimestamp: 90 } as VideoFrameCallbackMetadata);
  draw("t-2");
  frame?.(0, { expectedDisplayTime: 0 } as VideoFrameCallbackMetadata);
  expect(shown).toEqual([
    ["t-1", 90],
    ["t-2", null],
  ]);
});

test("it vouches for its frames while its page can be seen, and no longer than it is there", () => {
  draw("t-1");
  expect(seen?.()).toBe(true);
  vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
  expect(seen?.()).toBe(false);
  act(() => {
    root.render(null);
  });
  expect([seen, frame]).toEqual([null, null]);
});

test("its place on the page is known as long as it is there, under the name of the track that is shown", () => {
  draw("t-1");
  draw("t-2");
  expect([...placed]).toEqual(["t-2"]);
  act(() => {
    root.render(null);
  });
  expect(placed.size).toBe(0);
});

test("a live picture that the browser paused goes on", () => {
  const video = draw("t-1");
  const play = vi.spyOn(video, "play").mockRejectedValue(new Error("not now"));
  act(() => {
    video.dispatchEvent(new Event("pause"));
  });
  expect(play).toHaveBeenCalledOnce();
});
