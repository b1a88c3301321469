"""What never reaches a log."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from core.logging import configure_logging

JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1XzEifQ.c2lnbmF0dXJl"


@pytest.fixture(autouse=True)
def _restore() -> object:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_secrets_are_hidden_in_our_events_and_in_those_of_libraries(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info", "signaling")
    structlog.get_logger().info("joined", token="tok-1", detail=f"Bearer {JWT}", room="demo")
    logging.getLogger("lib").warning("cannot reach postgresql://li:geheim@host/db with %s", JWT)
    try:
        raise ValueError(f"AGE-SECRET-KEY-1ABC {JWT}")
    except ValueError:
        structlog.get_logger().exception("failed", password="pw-1")
    text = capsys.readouterr().err
    for secret in ("tok-1", JWT, "geheim", "pw-1", "AGE-SECRET-KEY-1ABC"):
        assert secret not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines[0]["event"] == "joined"
    assert lines[0]["room"] == "demo"
    assert lines[0]["role"] == "signaling"
    assert "li:[redacted]@host" in lines[1]["event"]
    assert "ValueError" in lines[2]["exception"]


def test_a_level_hides_what_is_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("warning", "sfu")
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    text = capsys.readouterr().err
    assert "quiet" not in text
    assert "loud" in text
