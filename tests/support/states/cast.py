"""Who appears in the states: a demo, a browser, people with profiles that are put away at the end."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Page

from tests.support.browser import enter, sign_in
from tests.support.demo import Demo
from tests.support.network import Network
from tests.support.rest import Rest
from tests.support.stage import new_person

ADMIN_WITHIN_S = 60

PATIENT = {"name": "李小明", "sex": "male", "age": 34, "exam_number": "US-30122"}
NO_RECORDING = "The patient does not want to be recorded."
_numbers = itertools.count(1)


@dataclass(frozen=True)
class State:
    """A page that looks as `name` (`<page>-<state>`) says."""

    name: str
    page: Page


@dataclass
class Cast:
    """`language`: `en` or `zh-CN`. Whoever enters leaves when the group is over."""

    demo: Demo
    browser: Browser
    language: str
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def page(self, network: Network | None = None, script: str = "", **options: Any) -> Page:
        """A new person's page. `script` runs before the page's own."""
        context = new_person(self.browser, locale=self.language, **options)
        self.stack.callback(context.close)
        page = context.new_page()
        for each in (network.script if network else "", script):
            if each:
                page.add_init_script(each)
        return page

    def signed_in(self, user: str, network: Network | None = None, script: str = "", **options: Any) -> Page:
        page = self.page(network, script, **options)
        sign_in(page, network.base_url if network else self.demo.base_url, self.demo.user(user))
        page.get_by_test_id("sign-out").wait_for()
        return page

    def in_room(
        self,
        user: str,
        room: str = "demo",
        network: Network | None = None,
        script: str = "",
        *,
        on_site: bool = False,
    ) -> Page:
        page = self.signed_in(user, network, script)
        page.get_by_test_id(f"{'onsite' if on_site else 'join'}-{room}").click()
        enter(page)
        return page

    def network(self) -> Network:
        return self.stack.enter_context(Network(self.demo.base_url, self.demo.udp_port))

    def site(self) -> Rest:
        """The site, without a browser."""
        return Rest.signed_in(self.demo.base_url, self.demo.user("site"))

    def another_room(self) -> str:
        """A second consultation of the same people, without a capture box."""
        number = next(_numbers)
        wanted = {
            "patient": PATIENT | {"exam_number": f"US-{30121 + number}"},
            "specialty": "cardiac",
            "question": "Is the valve tight?",
            "consent_consult": True,
            "consent_record": False,
            "record": False,
            "record_reason": NO_RECORDING,
            "devices": [],
            "invited": self._hospital(),
        }
        return str(self.site().expect(201, "POST", "/api/v1/consultations", wanted)["room"])

    def add_user(self, username: str, role: str, organisation: str) -> dict[str, Any]:
        """By the administrator's command line: `{username, password, totp_secret?, …}`."""
        command = [sys.executable, "-m", "teleconsult", "admin", "user", "add", username, "--role", role]
        command += ["--organisation", organisation, "--generate", "--json"]
        return self._administer(command)

    def add_organisation(self, name: str) -> None:
        self._administer(
            [sys.executable, "-m", "teleconsult", "admin", "organisation", "add", name, "--json"]
        )

    def _administer(self, command: list[str]) -> dict[str, Any]:
        command = [*command, "--data-dir", str(self.demo.data_dir)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=ADMIN_WITHIN_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def _hospital(self) -> list[str]:
        listed = self.site().expect(200, "GET", "/api/v1/organisations")
        return [each["organisation_id"] for each in listed if "hospital" in each["name"]]


def played(
    group: Callable[[Cast], Iterator[State]], demo: Demo, browser: Browser, language: str
) -> Iterator[State]:
    """The states of a group, with everybody leaving at the end."""
    with contextlib.ExitStack() as stack:
        yield from group(Cast(demo, browser, language, stack))
