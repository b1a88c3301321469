"""A worker on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from core.clock import SystemClock
from sfu.worker import Worker
from transport.endpoint import MediaEndpoint


@pytest_asyncio.fixture
async def worker() -> AsyncIterator[Worker]:
    clock = SystemClock()
    endpoint = await MediaEndpoint.open("127.0.0.1", 0, clock=clock)
    worker = Worker(endpoint, "sfu-test", clock)
    stopping = asyncio.Event()
    running = asyncio.create_task(worker.run(stopping))
    yield worker
    stopping.set()
    await running
    worker.close_all("test_over")
    await endpoint.close()
