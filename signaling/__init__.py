"""aiohttp service: login, rooms, WebSocket, WHIP/WHEP, the web client's files."""
