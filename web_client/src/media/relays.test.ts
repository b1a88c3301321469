import { beforeEach, expect, test, vi } from "vitest";
import { Relays } from "./relays";

class FakeConnection {
  static made: FakeConnection[] = [];
  signalingState = "stable";

  constructor(public configuration: RTCConfiguration) {
    FakeConnection.made.push(this);
  }

  setConfiguration(configuration: RTCConfiguration): void {
    if (this.signalingState === "closed") throw new Error("closed");
    this.configuration = configuration;
  }
}

const server = (credential: string) => ({
  urls: ["turns:192.0.2.1:443?transport=tcp"],
  username: "1700000000:p",
  credential,
});

beforeEach(() => {
  FakeConnection.made = [];
  vi.stubGlobal("RTCPeerConnection", FakeConnection);
});

const credentials = () =>
  FakeConnection.made.map(({ configuration }) =>
    configuration.iceServers?.map(({ credential }) => credential),
  );

test("a connection is made with the TURN servers the service named", () => {
  const relays = new Relays();
  relays.told([server("first")]);
  relays.connect();
  expect(FakeConnection.made[0]?.configuration).toEqual({
    bundlePolicy: "max-bundle",
    iceServers: [server("first")],
  });
});

test("without a TURN server connections are made all the same", () => {
  new Relays().connect();
  expect(credentials()).toEqual([[]]);
});

test("fresh credentials reach open connections, and no closed one", () => {
  const relays = new Relays();
  relays.told([server("first")]);
  relays.connect();
  relays.connect();
  const [closed] = FakeConnection.made;
  if (closed !== undefined) closed.signalingState = "closed";
  relays.told([server("second")]);
  expect(credentials()).toEqual([["first"], ["second"]]);
});
