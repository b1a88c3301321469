// @vitest-environment happy-dom
import { act } from "react";
import { createRoot } from "react-dom/client";
import { afterEach, expect, test, vi } from "vitest";
import type { Level } from "../../media/level";
import { useTicks } from "./useDevices";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("a browser that gives no level costs the meter, not the room", () => {
  vi.useFakeTimers();
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  vi.stubGlobal("AudioContext", function NoSound() {
    throw new DOMException("no device", "NotSupportedError");
  });
  const levels: (Level | null)[] = [];
  const track = {} as MediaStreamTrack;
  const onLevel = (level: Level | null) => levels.push(level);
  function Meter() {
    useTicks(track, 50, onLevel);
    return null;
  }
  const root = createRoot(document.body.appendChild(document.createElement("div")));
  act(() => {
    root.render(<Meter />);
  });
  vi.advanceTimersByTime(100);
  expect(levels).toEqual([null, null]);
  act(() => {
    root.unmount();
  });
});
