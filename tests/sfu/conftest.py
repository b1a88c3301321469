"""A worker on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from core.clock import SystemClock
from sfu.worker import Worker
from transport.endpoint import MediaEndpoint
from transport.native.engine import load_engine


@pytest_asyncio.fixture(params=["engine", "python"])
async def worker(request: pytest.FixtureRequest) -> AsyncIterator[Worker]:
    """Once with the engine, which `make test` builds, and once without."""
    clock = SystemClock()
    found = load_engine() if request.param == "engine" else None
    assert found is not None or request.param == "python", "scripts/build-engine builds it"
    endpoint = await MediaEndpoint.open("127.0.0.1", 0, clock=clock, engine=found)
    worker = Worker(endpoint, "sfu-test", clock)
    stopping = asyncio.Event()
    running = asyncio.create_task(worker.run(stopping))
    yield worker
    stopping.set()
    await running
    worker.close_all("test_over")
    await endpoint.close()
