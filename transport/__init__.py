"""The one place that touches aiortc, aioice and sockets: UDP port, ICE, DTLS, client transport."""
