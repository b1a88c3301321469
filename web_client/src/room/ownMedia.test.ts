import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { drained, FakePeerConnections, FakeStream, FakeTrack } from "../media/fakePeerConnection";
import { Preferences } from "../media/preferences";
import { OwnMedia } from "./ownMedia";

let wishes: Preferences;
let phases: string[];
let own: OwnMedia;

beforeEach(() => {
  const peers = new FakePeerConnections();
  vi.stubGlobal("MediaStream", FakeStream);
  vi.stubGlobal("RTCPeerConnection", function FakeConnection() {
    return peers.create();
  });
  vi.stubGlobal("isSecureContext", true);
  vi.stubGlobal("navigator", {
    mediaDevices: {
      addEventListener: () => undefined,
      removeEventListener: () => undefined,
      enumerateDevices: () => Promise.resolve([]),
      getUserMedia: ({ audio }: MediaStreamConstraints) =>
        Promise.resolve({ getTracks: () => [new FakeTrack(audio ? "audio" : "video")] }),
    },
  });
  wishes = new Preferences(null);
  phases = [];
  own = new OwnMedia(
    {
      say: () => undefined,
      device: (source, { phase }) => phases.push(`${source} ${phase}`),
      state: () => undefined,
      later: () => undefined,
    },
    wishes,
  );
});
afterEach(() => {
  own.close();
  vi.unstubAllGlobals();
});

test("a room begins with what was chosen before it, once", async () => {
  wishes.update({ cameraOn: true });
  own.begin();
  await drained();
  own.begin();
  expect(phases).toEqual(["camera asking", "camera on"]);
});

test("a room begins with nothing where nothing was chosen", async () => {
  own.begin();
  await drained();
  expect(phases).toEqual([]);
});

test("whoever holds to talk begins with the microphone open and muted", async () => {
  wishes.update({ microphoneOn: true, talkMode: "hold" });
  own.begin();
  await drained();
  expect(phases.at(-1)).toBe("microphone muted");
  expect(own.captured.get().microphone).not.toBeNull();
});

test("what is switched in the room is how the next one begins; holding is not switching", async () => {
  own.set("microphone", true);
  own.set("camera", true);
  await drained();
  expect(wishes.get()).toMatchObject({ microphoneOn: true, cameraOn: true });
  own.set("microphone", false);
  expect(wishes.get().microphoneOn).toBe(false);
  wishes.update({ talkMode: "hold", microphoneOn: true });
  own.set("microphone", true);
  own.set("microphone", false);
  expect(wishes.get().microphoneOn).toBe(true);
});

test("whoever decides to hold from now on is not heard until they do", async () => {
  own.set("microphone", true);
  await drained();
  wishes.update({ talkMode: "hold" });
  await drained();
  expect(phases.at(-1)).toBe("microphone muted");
});
