"""Remote control at the box: between the room, the desks that decide, the gadget and the box's own page."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import structlog

from core.clock import NS_PER_US, Clock
from core.control import RELEASE_AFTER_S, Control
from core.messages import CheckCode, ControlAnswer, ControlChanged, ControlPressed, Model, OfferControl
from edge_agents.clock_offset import ClockOffset
from edge_agents.config import FeedConfig
from edge_agents.control_config import ControlConfig
from edge_agents.control_desk import ControlDesk, LetGo, Outcome, Terms
from edge_agents.hid_gadget import Console, DeviceFailed, open_console
from edge_agents.hid_reports import Hands, Screen
from edge_agents.pointer_mark import PointerMark
from edge_agents.status import ControlStatus

log = structlog.get_logger()

IDLE_S: Final = 0.05
BUSY_S: Final = 0.004
"""While the gadget has not taken everything yet: about as often as a host fetches."""
STALE_US: Final = int(RELEASE_AFTER_S * 1_000_000)
"""What the network held back for longer was meant for a picture that is not shown any more."""
Act = Literal["allow", "refuse", "stop", "badge"]


@dataclass(frozen=True)
class _Seat:
    """The room we are in."""

    say: Callable[[Model], None]
    screen: Callable[[str], Screen | None]


class _Device:
    """One feed's console, its desk and its gadget."""

    def __init__(self, feed: str, config: ControlConfig, clock: Clock, folder: Path) -> None:
        self.feed = feed
        badges = frozenset(config.badges)
        self.desk = ControlDesk(Terms(feed, config.confirm, config.max_minutes, config.devices, badges))
        self.offer = OfferControl(feed=feed, ways=config.confirm, max_minutes=config.max_minutes)
        mark = PointerMark(folder / f"pointer-down.{feed}")
        self.console: Console = open_console(config, clock, mark)
        self._first = Hands(config.devices, mark.read()).let_go()

    def let_go_first(self) -> None:
        """What a process of this box that died may have left down: any key; a button, if it is marked."""
        try:
            self.console.let_go(self._first)
        except DeviceFailed as error:
            log.warning("control_device_away", feed=self.feed, reason=str(error))

    def do(self, outcomes: list[Outcome], say: Callable[[Model], None]) -> None:
        """A gadget that fails ends the control, once what was decided before is done as far as it can be."""
        failed: DeviceFailed | None = None
        for one in outcomes:
            try:
                if isinstance(one, ControlAnswer):
                    self._answer(one, say)
                elif isinstance(one, LetGo):
                    self.console.let_go(one.reports)
                else:
                    self.console.write(one)
            except DeviceFailed as error:
                failed = error
        if failed is not None:
            self._has_failed(failed, say)

    def pump(self, say: Callable[[Model], None]) -> None:
        """Write what waits."""
        try:
            self.console.pump()
        except DeviceFailed as error:
            self._has_failed(error, say)

    def _has_failed(self, error: DeviceFailed, say: Callable[[Model], None]) -> None:
        log.warning("control_device_failed", feed=self.feed, reason=str(error))
        ended = self.desk.failed()
        if ended:
            self.do(ended, say)

    def _answer(self, answer: ControlAnswer, say: Callable[[Model], None]) -> None:
        log.info(
            "control_answer",
            feed=self.feed,
            control_id=answer.control_id,
            answer=answer.answer,
            way=answer.way,
            reason=answer.reason,
        )
        say(answer)


class Controls:
    """All that can be controlled through this box. Making one lets go of everything, before anything else.

    `folder`: where it is marked that a pointer's button is down. `shown`: the box's own page is up; without
    it nothing is offered: nobody could stop it there.
    """

    def __init__(self, feeds: Sequence[FeedConfig], clock: Clock, folder: Path) -> None:
        self._clock, self._offset = clock, ClockOffset()
        self._devices = {
            feed.name: _Device(feed.name, feed.control, clock, folder)
            for feed in feeds
            if feed.control is not None
        }
        self._seat: _Seat | None = None
        self._wake = asyncio.Event()
        self.shown = False
        for device in self._devices.values():
            device.let_go_first()

    def __bool__(self) -> bool:
        """Something can be controlled."""
        return bool(self._devices)

    def attend(self, say: Callable[[Model], None], screen: Callable[[str], Screen | None]) -> None:
        """In a room from now on. `screen`: what a feed shows now; None: not its device's picture."""
        self._seat = _Seat(say, screen)

    def use_offset(self, offset: ClockOffset) -> None:
        """The server's clock against ours."""
        self._offset = offset

    async def run(self) -> None:
        """Until cancelled: time passes, and what waits for the gadget is written."""
        while True:
            waits = any(device.console.waits for device in self._devices.values())
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BUSY_S if waits else IDLE_S):
                    await self._wake.wait()
            self.look()

    def look(self) -> None:
        """What time brings, and what waits."""
        for device in self._devices.values():
            device.do(device.desk.tick(self._now_ns()), self._say)
            device.pump(self._say)

    def close(self) -> None:
        """Everything up; the gadget's files are closed."""
        self.leave()
        for device in self._devices.values():
            device.console.close()

    # from the room

    def offer(self, feed: str) -> None:
        """It is shown in the room: say that it can be controlled. The room forgets what it had granted."""
        device = self._devices.get(feed)
        if device is not None and self.shown:
            self._say(device.offer)

    def told(self, told: ControlChanged | CheckCode | ControlPressed) -> None:
        """What the room says of a control. Of those that are not ours, or over, nothing comes."""
        match told:
            case ControlChanged():
                self._changed(told)
            case CheckCode():
                for device in self._devices.values():
                    self._do(device, device.desk.code_typed(told.control_id, told.code, self._now_ns()))
            case ControlPressed():
                self._pressed(told)

    def _changed(self, told: ControlChanged) -> None:
        device = self._devices.get(told.feed)
        if device is None:
            return
        control: Control | None = told.control
        if control is None:
            self._do(device, device.desk.over(told.control_id))
        elif control.feed == device.feed:
            code = f"{secrets.randbelow(1_000_000):06d}"
            self._do(device, device.desk.granted(control, code, self._now_ns()))

    def _pressed(self, told: ControlPressed) -> None:
        device = self._devices.get(told.feed)
        if device is None or self._seat is None or self._is_stale(told.at_us):
            return
        screen, now_ns = self._seat.screen(told.feed), self._now_ns()
        who = (told.control_id, told.participant_id)
        self._do(device, device.desk.pressed(*who, told.pressed, screen, now_ns))
        if device.console.waits:
            self._wake.set()

    def paused(self, paused: bool) -> None:
        for device in self._devices.values():
            self._do(device, device.desk.paused(paused))

    def lost(self) -> None:
        """Not connected to the room, for whatever reason: what it granted counts no more."""
        for device in self._devices.values():
            self._do(device, device.desk.lost())

    def leave(self) -> None:
        """Out of the room for good."""
        self.lost()
        self._seat = None

    # from whoever stands beside the box

    def act(self, act: Act, feed: str, control_id: str, badge: str = "") -> None:
        """Of the control with that id, and no other that came since."""
        device = self._devices.get(feed)
        if device is None:
            return
        desk, now_ns = device.desk, self._now_ns()
        if act == "allow":
            self._do(device, desk.touched(control_id, now_ns))
        elif act == "badge":
            self._do(device, desk.badge_shown(control_id, badge, now_ns))
        else:
            self._do(device, desk.stopped(control_id))

    def status(self) -> list[ControlStatus]:
        """What waits for somebody at the box, and what is active."""
        found = [device.desk.status(self._now_ns()) for device in self._devices.values()]
        return [one for one in found if one is not None]

    def _do(self, device: _Device, outcomes: list[Outcome]) -> None:
        device.do(outcomes, self._say)

    def _say(self, message: Model) -> None:
        if self._seat is not None:
            self._seat.say(message)

    def _now_ns(self) -> int:
        return self._clock.monotonic_ns()

    def _is_stale(self, at_us: int) -> bool:
        """By the server's clock, since it was said: the whole way counts. While that is unknown, all is."""
        ahead_us = self._offset.ahead_us
        return ahead_us is None or self._clock.unix_ns() // NS_PER_US - ahead_us - at_us > STALE_US
