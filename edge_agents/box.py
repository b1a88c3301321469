"""The capture box's process: in the consultation that wants it, its status page, its watchdog, for years."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import structlog
import uvloop

from core import systemd
from core.clock import NS_PER_S, Clock, SystemClock
from core.device_health import CLOCK_WARN_MS, DeviceHealth, LogLevel
from core.errors import Unavailable
from core.local_service import private_authority
from edge_agents import machine
from edge_agents.agent import Agent, Wishes
from edge_agents.attendance import Attendance, Host
from edge_agents.backfill import Backfill
from edge_agents.backfill_pace import Uplink
from edge_agents.clock_offset import ClockOffset
from edge_agents.config import EdgeConfig
from edge_agents.control import Controls
from edge_agents.feed_health import counts_of, health_of
from edge_agents.guard import GUARDED_VARIABLE
from edge_agents.identity import Identity, own_identity
from edge_agents.log_knob import LogKnob
from edge_agents.recollection import Present, recollect
from edge_agents.ring import Ring, RingSettings
from edge_agents.server_access import ServerAccess
from edge_agents.status import BoxState, BoxStatus, RingStatus
from edge_agents.status_page import serving_status
from edge_agents.vitals import FeedWatch, Flow, is_well

log = structlog.get_logger()

LOOK_S: Final = 1.0
REPORT_S: Final = 10.0
_MIB: Final = 1 << 20


def main(config: EdgeConfig, log_level: str = "info") -> None:
    """Run the box on uvloop until SIGTERM or SIGINT."""
    uvloop.run(run(config, log_level))


async def run(config: EdgeConfig, log_level: str = "info") -> None:
    """Run the box until SIGTERM or SIGINT, then delete its WHIP resources and return."""
    stop = asyncio.Event()
    with _stopped_by_signals(stop):
        await run_until(config, stop, SystemClock(), LogKnob(log_level))


async def run_until(
    config: EdgeConfig, stop: asyncio.Event, clock: Clock, knob: LogKnob | None = None
) -> None:
    """As `run`, ended by `stop`. Raises `ConfigError` for a box that has no way in."""
    # first of all: a process that died may have left a key down
    controls = Controls(config.feeds, clock, config.ring_dir)
    identity = own_identity(config)
    log.info("edge_starting", server=config.base_url, room=config.room, feeds=[f.name for f in config.feeds])
    async with open_session(config) as session:
        box = Box(config, identity, session, clock, knob or LogKnob("info"), controls)
        work = asyncio.create_task(box.run())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            if stop.is_set() and GUARDED_VARIABLE not in os.environ:
                systemd.notify(STOPPING="1")
            stopped.cancel()
            work.cancel()
            await asyncio.gather(work, stopped, return_exceptions=True)
    log.info("edge_stopped")


@asynccontextmanager
async def open_session(config: EdgeConfig) -> AsyncIterator[aiohttp.ClientSession]:
    """HTTP to the service, whose authority is the configured one."""
    trust = True if config.tls_ca is None else private_authority(config.tls_ca)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session:
        yield session


class Box:
    """`run` until cancelled. It ends by itself only when a new process is better."""

    def __init__(
        self,
        config: EdgeConfig,
        identity: Identity | None,
        session: aiohttp.ClientSession,
        clock: Clock,
        knob: LogKnob,
        controls: Controls | None = None,
    ) -> None:
        self._controls = controls or Controls(config.feeds, clock, config.ring_dir)
        self._config, self._identity = config, identity
        self._session, self._clock, self._knob = session, clock, knob
        self._agent: Agent | None = None
        self._pictures: asyncio.Task[None] | None = None
        self._watches: dict[str, FeedWatch] = {}
        self._flows: dict[str, Flow] = {}
        self._began_ns = clock.monotonic_ns()
        self._clock_said = False
        self._well = True
        self._offset = ClockOffset()
        self._attendance: Attendance | None = None
        self._ring: Ring | None = None
        self._backfill: Backfill | None = None
        self._recalled: Present | None = None
        """What a process of this box was in the middle of that died a moment ago."""
        if identity is not None:
            access = ServerAccess(session, identity, clock)
            self._offset = access.offset
            host = Host(self._begin, self._end, self._told_when_asking, self._log_wanted)
            self._attendance = Attendance(access, host, clock)
            self._make_ring(access, identity)
        self._controls.use_offset(self._offset)

    def _make_ring(self, access: ServerAccess, identity: Identity) -> None:
        config = self._config
        if config.ring_mb == 0:
            return
        settings = RingSettings(config.ring_dir, config.ring_mb * _MIB, config.ring_hours)
        self._recalled = recollect(settings.folder, self._clock.unix_ns() / NS_PER_S)
        self._ring = Ring(settings, identity.key.sign, self._clock, self._offset, self._keyframe_needed)
        self._backfill = Backfill(access, self._ring, self._clock, self._uplinks)

    def _keyframe_needed(self, feed: str) -> None:
        """In any thread."""
        if self._agent is not None:
            self._agent.keyframe_needed(feed)

    def _uplinks(self) -> list[Uplink]:
        return [] if self._agent is None else self._agent.uplinks()

    async def run(self) -> None:
        """Raises `Unavailable` when it has grown too large: systemd starts it again."""
        try:
            async with serving_status(self._config.status_port, self.status, self._controls.act) as port:
                self._controls.shown = port != 0
                await self._run()
        finally:
            self._controls.close()

    async def _run(self) -> None:
        controlling = asyncio.create_task(self._controls.run()) if self._controls else None
        asking = None
        if self._attendance is None:
            await self._begin(self._config.room, "", self._config.read_token)
        else:
            if self._recalled is not None:
                log.info("box_recalls", room=self._recalled.room, paused=self._recalled.paused)
                self._attendance.recall(self._recalled.room, self._recalled.consultation_id)
            asking = asyncio.create_task(self._attendance.run())
        delivering = None if self._backfill is None else asyncio.create_task(self._backfill.run())
        systemd.notify(READY="1", STATUS="started")
        helpers = [task for task in (asking, delivering, controlling) if task is not None]
        try:
            await self._keep_looking(helpers)
        finally:
            for task in helpers:
                task.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            await self._end()
            if self._ring is not None:
                await asyncio.to_thread(self._ring.stop)

    # the consultation

    async def _begin(self, room: str, consultation: str, token: Callable[[], str]) -> None:
        wishes = Wishes(self._log_wanted, self._over, self._offset.add)
        config = self._config.assigned(room, token)
        self._watches, self._flows = {}, {}
        self._agent = Agent(config, self._session, self._clock, wishes, self._ring, self._controls)
        if self._ring is not None and self._backfill is not None:
            paused = self._recalled is not None and self._recalled.paused
            self._recalled = None
            self._ring.attend(Present(room=room, consultation_id=consultation, paused=paused))
            self._agent.paused(paused)
            self._backfill.begin(consultation)
        self._pictures = asyncio.create_task(self._agent.run())
        log.info("box_begins", room=room)

    async def _end(self) -> None:
        pictures, self._pictures, self._agent = self._pictures, None, None
        self._watches, self._flows = {}, {}
        if pictures is not None:
            pictures.cancel()
            await asyncio.gather(pictures, return_exceptions=True)
            log.info("box_ends")
        if self._backfill is not None:
            self._backfill.end()

    def _over(self) -> None:
        if self._attendance is not None:
            self._attendance.ask_soon()

    def _log_wanted(self, level: LogLevel | None, for_s: int) -> None:
        self._knob.turn(level, for_s)

    def _told_when_asking(self) -> DeviceHealth | None:
        """In a room it is said there."""
        return None if self._agent is not None and self._agent.is_in_room else self.health()

    # how it is

    def health(self) -> DeviceHealth:
        """Now."""
        agent, flows = self._agent, self._flows
        feeds = {} if agent is None else {name: feed for name, feed in agent.feeds.items() if name in flows}
        return DeviceHealth(
            feeds=[health_of(name, feed, flows[name]) for name, feed in feeds.items()],
            version=machine.own_version(),
            temperature_c=machine.temperature_c(),
            clock_off_ms=self._offset.ahead_ms,
            memory_bytes=machine.resident_bytes(),
            buffer_bytes=None if self._backfill is None else self._backfill.waiting_bytes,
            disk_free_bytes=machine.disk_free_bytes(self._config.heads_file.parent),
            running_s=(self._clock.monotonic_ns() - self._began_ns) // NS_PER_S,
        )

    def status(self) -> BoxStatus:
        """For whoever stands beside it."""
        attendance, identity, health = self._attendance, self._identity, self.health()
        state: BoxState = "fixed" if attendance is None else attendance.state
        return BoxStatus(
            state=state,
            server=self._config.base_url,
            device_id="" if identity is None else identity.device_id,
            name="" if identity is None else identity.name,
            room=self._config.room if attendance is None else attendance.room,
            in_room=self._agent is not None and self._agent.is_in_room,
            health=health,
            troubles=health.troubles,
            ring=self._ring_status(),
            controls=self._controls.status(),
            log_level=self._knob.level,
        )

    def _ring_status(self) -> RingStatus | None:
        if self._ring is None or self._backfill is None:
            return None
        held_bytes, oldest_s = self._ring.held()
        return RingStatus(
            keeps=self._ring.keeping,
            held_bytes=held_bytes,
            oldest_s=oldest_s,
            waiting_bytes=self._backfill.waiting_bytes,
            delivered=self._backfill.delivered,
        )

    async def _keep_looking(self, helpers: Sequence[asyncio.Task[None]]) -> None:
        """Looks at everything once a second; the watchdog is fed here and nowhere else."""
        watched, report_ns = systemd.watchdog_interval_s() is not None, 0
        while True:
            await asyncio.sleep(LOOK_S)
            for task in (*helpers, self._pictures):
                if task is not None and task.done():
                    task.result()
            now_ns = self._clock.monotonic_ns()
            well = self._look(now_ns)
            if watched and well:
                systemd.notify(WATCHDOG="1")
            if now_ns >= report_ns:
                report_ns = now_ns + int(REPORT_S * NS_PER_S)
                self._report()

    def _look(self, now_ns: int) -> bool:
        """True while the box does what it is for, or says why it cannot."""
        for name, feed in ({} if self._agent is None else self._agent.feeds).items():
            watch = self._watches.setdefault(name, FeedWatch(now_ns))
            self._flows[name] = watch.look(counts_of(feed), now_ns)
        stuck = self._attendance is not None and self._attendance.is_stuck
        well = is_well(self._flows.values()) and not stuck
        if well != self._well:
            self._well = well
            hanging = [name for name, flow in self._flows.items() if flow.hangs]
            log.warning("box_well" if well else "box_hangs", feeds=hanging, stuck=stuck)
        return well

    def _report(self) -> None:
        """Raises `Unavailable`."""
        health = self.health()
        if health.memory_bytes > self._config.memory_mb * _MIB:
            log.error(
                "memory_over_limit", memory_mb=health.memory_bytes // _MIB, limit=self._config.memory_mb
            )
            raise Unavailable(f"needs more than memory_mb = {self._config.memory_mb}; it starts anew")
        if self._agent is not None:
            self._agent.report(health)
        systemd.notify(STATUS=self._status_line(health))
        self._warn_of_clock(health.clock_off_ms)

    def _status_line(self, health: DeviceHealth) -> str:
        state = "fixed" if self._attendance is None else self._attendance.state
        flowing = sum(feed.flowing for feed in health.feeds)
        return f"{state}; {flowing} of {len(health.feeds)} feeds flow; {' '.join(health.troubles) or 'well'}"

    def _warn_of_clock(self, off_ms: int | None) -> None:
        """Once, and again when it was right in between."""
        off = off_ms is not None and abs(off_ms) > CLOCK_WARN_MS
        if off and not self._clock_said:
            log.warning("clock_off", ahead_ms=off_ms, allowed_ms=CLOCK_WARN_MS)
        self._clock_said = off


@contextlib.contextmanager
def _stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
