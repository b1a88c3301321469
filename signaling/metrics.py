"""Prometheus metrics of one signaling process. Labels are route templates and roles, never names or ids."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from signaling.worker_figures import WorkerFigures

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """One registry per application, so that tests can run several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.worker_figures = WorkerFigures()
        self.registry.register(self.worker_figures)
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
        self.enrolments = Counter(
            "teleconsult_device_enrolments",
            "Codes of capture boxes tried",
            ["outcome"],
            registry=self.registry,
        )
        self.boxes = Gauge("teleconsult_boxes_online", "Capture boxes heard lately", registry=self.registry)
        self.box_feeds = Gauge(
            "teleconsult_box_feeds", "Feeds of those boxes", ["state"], registry=self.registry
        )
        self.box_troubles = Gauge(
            "teleconsult_boxes_in_trouble", "Boxes by what is wrong", ["trouble"], registry=self.registry
        )
        self.box_temperature = Gauge(
            "teleconsult_box_temperature_max_celsius", "Of the hottest box", registry=self.registry
        )
        self.rooms = Gauge("teleconsult_rooms", "Live rooms", registry=self.registry)
        self.participants = Gauge(
            "teleconsult_participants", "Members of all rooms", ["role"], registry=self.registry
        )
        self.waiting = Gauge("teleconsult_lobby", "Guests waiting to be let in", registry=self.registry)
        self.paused = Gauge("teleconsult_rooms_paused", "Rooms in a privacy pause", registry=self.registry)
        self.chat = Counter("teleconsult_chat_messages", "Chat messages shown", registry=self.registry)
        self.files = Counter(
            "teleconsult_chat_files", "Files sent, or refused", ["outcome"], registry=self.registry
        )
        self.file_bytes = Counter(
            "teleconsult_chat_file_bytes", "Bytes of the files sent", registry=self.registry
        )
        self.transports = Gauge("teleconsult_transports", "Media transports", registry=self.registry)
        self.workers = Gauge("teleconsult_workers_connected", "Connected SFU workers", registry=self.registry)
        self.tasks = Gauge("teleconsult_tasks", "Tasks of the event loop", registry=self.registry)
        self.draining = Gauge("teleconsult_draining", "1: this process is ending", registry=self.registry)
        self.directory = Gauge(
            "teleconsult_directory_reachable", "0: Redis is configured and gone", registry=self.registry
        )
        self.copy_failing = Gauge(
            "teleconsult_archive_copy_failing", "1: the store does not take archives", registry=self.registry
        )
        self.copy_behind = Gauge(
            "teleconsult_archive_copy_behind_seconds",
            "How old the oldest thing is that the store lacks; 0: nothing, or there is no store",
            registry=self.registry,
        )
        self.log_leaves = Gauge(
            "teleconsult_archive_log_leaves", "Leaves of the archive's log", registry=self.registry
        )
        self.log_fails = Gauge(
            "teleconsult_archive_log_failing", "1: the archive's log refuses", registry=self.registry
        )
        self.certificate_ends = Gauge(
            "teleconsult_tls_certificate_not_after_seconds",
            "When the TLS certificate ends, Unix time; 0: no TLS here",
            registry=self.registry,
        )

    def exposition(self) -> bytes:
        """Prometheus' text format, version 0.0.4."""
        return generate_latest(self.registry)
