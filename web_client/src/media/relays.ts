import type { IceServer } from "../protocol/messages";

/**
 * Makes the peer connections of a stay, with the TURN servers the service named. Fresh credentials reach the open
 * connections, too: the next ICE restart may need them.
 */
export class Relays {
  private servers: RTCIceServer[] = [];
  private made: RTCPeerConnection[] = [];

  readonly connect = (): RTCPeerConnection => {
    this.forgetClosed();
    const connection = new RTCPeerConnection(this.configuration());
    this.made.push(connection);
    return connection;
  };

  told(servers: readonly IceServer[]): void {
    this.servers = servers.map(({ urls, username, credential }) => ({
      urls: [...urls],
      username,
      credential,
    }));
    this.forgetClosed();
    for (const connection of this.made) connection.setConfiguration(this.configuration());
  }

  private configuration(): RTCConfiguration {
    return { bundlePolicy: "max-bundle", iceServers: this.servers };
  }

  private forgetClosed(): void {
    this.made = this.made.filter((connection) => connection.signalingState !== "closed");
  }
}
