"""Prometheus metrics of one signaling process. Labels are route templates and roles, never names or ids."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """One registry per application, so that tests can run several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "teleconsult_http_requests",
            "Requests answered",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "teleconsult_http_request_seconds",
            "Time to answer",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.sockets = Gauge("teleconsult_room_sockets", "Open room WebSockets", registry=self.registry)
        self.messages = Counter(
            "teleconsult_room_messages", "Messages from clients", ["type"], registry=self.registry
        )
        self.refused = Counter(
            "teleconsult_room_messages_refused", "Messages refused", ["code"], registry=self.registry
        )
        self.logins = Counter("teleconsult_logins", "Sign-in attempts", ["outcome"], registry=self.registry)
        self.rooms = Gauge("teleconsult_rooms", "Live rooms", registry=self.registry)
        self.participants = Gauge(
            "teleconsult_participants", "Members of all rooms", ["role"], registry=self.registry
        )
        self.transports = Gauge("teleconsult_transports", "Media transports", registry=self.registry)
        self.workers = Gauge("teleconsult_workers_connected", "Connected SFU workers", registry=self.registry)

    def exposition(self) -> bytes:
        """Prometheus' text format, version 0.0.4."""
        return generate_latest(self.registry)
