import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { capture, deviceProblem, findDevice, listDevices, sortDevices, type DeviceProblem } from "./devices";
import { FakeTrack } from "./fakePeerConnection";
import { DEFAULT_PREFERENCES } from "./preferences";

test.each<[string, DeviceProblem]>([
  ["NotAllowedError", "blocked"],
  ["SecurityError", "blocked"],
  ["NotFoundError", "none-found"],
  ["NotReadableError", "in-use"],
  ["AbortError", "in-use"],
  ["OverconstrainedError", "unsuitable"],
  ["SomethingNew", "unknown"],
])("%s means %s", (name, problem) => {
  expect(deviceProblem(new DOMException("", name))).toBe(problem);
});

test.each([undefined, null, "text", 3])("%s is no reason to fail", (thrown) => {
  expect(deviceProblem(thrown)).toBe("unknown");
});

const USB = { deviceId: "usb", label: "USB microphone" };

test("devices are sorted by what they do; the system's own entries are no choice of their own", () => {
  const device = (kind: MediaDeviceKind, deviceId: string) => ({
    kind,
    deviceId,
    label: `label of ${deviceId}`,
  });
  const list = sortDevices([
    device("audioinput", "default"),
    device("audioinput", "communications"),
    device("audioinput", "usb"),
    device("audioinput", ""),
    device("videoinput", "cam"),
    device("audiooutput", "speaker"),
  ]);
  expect(Object.values(list).map((of) => of.map(({ deviceId }) => deviceId))).toEqual([
    ["usb"],
    ["cam"],
    ["speaker"],
  ]);
});

test("a device is found by its id, else by its name, but never by no name", () => {
  const renewed = { deviceId: "new", label: USB.label };
  const nameless = { deviceId: "other", label: "" };
  expect(findDevice(USB, [renewed, USB])).toBe(USB);
  expect(findDevice(USB, [nameless, renewed])).toBe(renewed);
  expect(findDevice({ deviceId: "x", label: "" }, [nameless])).toBeNull();
  expect(findDevice(null, [USB])).toBeNull();
});

describe("capturing", () => {
  let asked: MediaStreamConstraints[];
  let answer: (constraints: MediaStreamConstraints) => FakeTrack | DOMException;
  let screen: FakeTrack | DOMException;

  const give = (what: FakeTrack | DOMException) =>
    what instanceof DOMException
      ? Promise.reject(what)
      : Promise.resolve({ getTracks: () => [what], getVideoTracks: () => [what] });

  beforeEach(() => {
    asked = [];
    answer = () => new FakeTrack("audio", "built-in");
    screen = new FakeTrack("video", "screen");
    vi.stubGlobal("isSecureContext", true);
    vi.stubGlobal("navigator", {
      mediaDevices: {
        enumerateDevices: () => Promise.resolve([]),
        getUserMedia: (constraints: MediaStreamConstraints) => {
          asked.push(constraints);
          return give(answer(constraints));
        },
        getDisplayMedia: () => give(screen),
      },
    });
  });
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  const exactly = ({ audio }: MediaStreamConstraints) =>
    typeof audio === "object" ? (audio.deviceId as { exact?: string } | undefined)?.exact : undefined;

  test("echo, noise and level are taken care of unless somebody chose otherwise", async () => {
    await capture("microphone", DEFAULT_PREFERENCES);
    await capture("microphone", { ...DEFAULT_PREFERENCES, profile: "music" });
    expect(asked).toMatchObject([
      { audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } },
      { audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } },
    ]);
  });

  test("the chosen microphone is asked for by name", async () => {
    const got = await capture("microphone", { ...DEFAULT_PREFERENCES, microphone: USB });
    expect(asked.map(exactly)).toEqual(["usb"]);
    expect(got).not.toHaveProperty("instead");
  });

  test("when the chosen microphone is gone, the system's is taken and that is told", async () => {
    answer = (constraints) =>
      exactly(constraints) === undefined
        ? new FakeTrack("audio", "built-in")
        : new DOMException("", "OverconstrainedError");
    expect(await capture("microphone", { ...DEFAULT_PREFERENCES, microphone: USB })).toMatchObject({
      track: { id: "built-in" },
      instead: true,
    });
  });

  test("a chosen microphone that another program uses is not silently exchanged", async () => {
    answer = () => new DOMException("", "NotReadableError");
    expect(await capture("microphone", { ...DEFAULT_PREFERENCES, microphone: USB })).toEqual({
      problem: "in-use",
    });
    expect(asked).toHaveLength(1);
  });

  test("a screen is sharp unless it shows moving pictures; whoever closes the choice is told nothing", async () => {
    await capture("screen", DEFAULT_PREFERENCES);
    expect(screen).toMatchObject({ contentHint: "detail" });
    await capture("screen", { ...DEFAULT_PREFERENCES, screenContent: "motion" });
    expect(screen).toMatchObject({ contentHint: "motion" });
    screen = new DOMException("", "NotAllowedError");
    expect(await capture("screen", DEFAULT_PREFERENCES)).toEqual({ cancelled: true });
  });

  test("an unencrypted page is said to be one", async () => {
    vi.stubGlobal("isSecureContext", false);
    expect(await capture("microphone", DEFAULT_PREFERENCES)).toEqual({ problem: "insecure-page" });
    expect(await listDevices()).toEqual({ microphone: [], camera: [], speaker: [] });
  });
});
