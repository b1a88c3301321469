"""Pure media protocol. No sockets, no asyncio, no clock reads: bytes and time are arguments."""
