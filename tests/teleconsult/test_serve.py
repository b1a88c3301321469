"""`teleconsult serve` with its real processes: starting in any order, draining, ending, telling systemd."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.rest import Rest
from tests.support.seat import Seat
from tests.support.service import WITHIN_S, Service, until

PASSWORD = "correct horse battery"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path) as made:
        yield made


def refused(*arguments: str) -> str:
    """The one line `serve` ends with."""
    done = subprocess.run(
        [sys.executable, "-m", "teleconsult", "serve", *arguments],
        capture_output=True, text=True, timeout=WITHIN_S, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if not line.startswith("{"))
    return line


def test_it_does_not_serve_a_network_in_clear(tmp_path: Path) -> None:
    line = refused("--data-dir", str(tmp_path), "--host", "0.0.0.0")
    assert "--tls-cert and --tls-key" in line
    assert "trusted_proxies" in line


def test_a_certificate_without_its_key_is_told_before_anything_starts(tmp_path: Path) -> None:
    missing = ("--tls-cert", str(tmp_path / "a.pem"), "--tls-key", str(tmp_path / "b.pem"))
    line = refused("--data-dir", str(tmp_path), *missing)
    assert f"{tmp_path}/a.pem: tls_cert cannot be read" in line


def test_roles_start_in_any_order_and_say_what_they_wait_for(service: Service) -> None:
    address = f"unix:{service.folder / 'sfu.sock'}"
    processes = [service.start("--role", "recorder")]
    try:
        waiting = until(lambda: service.events("waiting"), "the recorder says nothing")
        assert waiting[0]["for"] == f"the service at {service.base_url}"
        processes.append(service.start("--role", "signaling", "--worker", address))
        found = until(service.readyz, "signaling does not answer")
        assert (found["ready"], found["waiting_for"]) == (False, [f"a media worker at {address}"])
        assert any("archive keygen" in note for note in found["notes"]), (
            "why nothing is recorded, and the fix"
        )
        until(lambda: [e for e in service.events("waiting") if "media worker" in e["for"]], "not in the log")
        processes.append(service.start("--role", "sfu", "--api", address))
        service.until_ready()
        until(lambda: service.events("recorder.service_reachable"), "the recorder did not find the service")
    finally:
        for process in processes:
            process.terminate()
        codes = [process.wait(WITHIN_S) for process in processes]
        service.process = None
    assert codes == [0, 0, 0], service.log[-4000:]


def open_room(service: Service, *, record: bool = False) -> None:
    """A person, and an open consultation that a box's token leads into."""
    service.admin("organisation", "add", "Clinic")
    service.admin(
        "user", "add", "li", "--role", "site", "--organisation", "Clinic", "--stdin", stdin=PASSWORD + "\n"
    )
    site = Rest.signed_in(service.base_url, ("li", PASSWORD))
    form = {
        "patient": {"name": "张三", "sex": "male", "age": 57, "exam_number": "US-1"},
        "consent_consult": True, "consent_record": record, "record": record, "record_reason": "test",
    }  # fmt: skip
    site.expect(201, "POST", "/api/v1/consultations", form)


def seat(service: Service) -> Seat:
    site = Rest.signed_in(service.base_url, ("li", PASSWORD))
    (consultation,) = site.expect(200, "GET", "/api/v1/consultations?state=open")
    return Seat(service.base_url, consultation["room"], site.room_token(consultation["room"]))


def test_stopping_tells_everyone_in_a_room_and_ends_in_order(service: Service) -> None:
    service.start()
    service.until_ready()
    open_room(service)
    with seat(service) as sitting:
        sitting.wait_for("welcome")
        assert service.stop() == 0
        assert sitting.wait_until_closed() == 1001
    stopped = [name for event in service.events("stopping") for name in event["roles"]]
    assert stopped == ["signaling", "sfu-1"]
    assert service.events("signaling.stopped")
    assert service.events("sfu.stopped")
    assert not service.events("killed")


def test_a_second_sigterm_does_not_wait_for_what_still_runs(tmp_path: Path) -> None:
    """A request that is never finished would be waited for as long as `drain_s`."""
    with Service(tmp_path, {"drain_s": 600}) as service:
        started = service.start()
        service.until_ready()
        with socket.create_connection(("127.0.0.1", service.settings["port"]), 20) as unfinished:
            unfinished.sendall(
                b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 100\r\n\r\n{"
            )
            until(lambda: (service.readyz() or {}).get("ready"), "not ready")
            started.send_signal(signal.SIGTERM)
            until(lambda: (service.readyz() or {}).get("draining"), "not draining")
            asked_s = time.monotonic()
            assert service.stop() == 0
        assert time.monotonic() - asked_s < 60


def test_a_worker_told_to_end_gives_its_room_to_the_other_one_and_comes_back(tmp_path: Path) -> None:
    with Service(tmp_path, {"workers": 2}) as service:
        service.start()
        service.until_ready()
        (first,) = service.pids("sfu-1")
        os.kill(first, signal.SIGTERM)
        until(lambda: service.events("worker.draining") or service.events("sfu.stopped"), "it does not drain")
        until(lambda: [pid for pid in service.pids("sfu-1") if pid != first], "it does not come back")
        service.until_ready()


def test_systemd_is_told_when_it_is_ready_and_that_it_ends(tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(WITHIN_S)
        environment = {"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "300000"}
        with Service(tmp_path / "service", environment=environment) as service:
            service.start()
            told = [manager.recv(4096).decode()]
            while not told[-1].startswith("READY=1"):
                assert told[-1].startswith("STATUS="), "nothing else before it is ready"
                told.append(manager.recv(4096).decode())
            assert (service.readyz() or {})["ready"]
            while told[-1] != "WATCHDOG=1":
                told.append(manager.recv(4096).decode())
            assert service.stop() == 0
        manager.settimeout(0.1)
        while True:
            try:
                told.append(manager.recv(4096).decode())
            except TimeoutError:
                break
    assert any(text.startswith("STOPPING=1") for text in told)
    assert sum(text.startswith("READY=1") for text in told) == 1, "only the supervisor speaks"
