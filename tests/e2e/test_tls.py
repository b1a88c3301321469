"""A browser that trusts the hospital's own authority: a consultation over HTTPS, without a warning."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page, expect, sync_playwright

from tests.support.browser import CHROMIUM, FAKE_DEVICES, QUIET, SEE_WITHIN_MS, join
from tests.support.demo import Demo
from tests.support.service import until
from tests.support.trust import trusting

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = Demo.start(tmp_path_factory.mktemp("tls") / "demo", "--tls")
    try:
        yield running
    finally:
        assert running.stop() == 0


@contextlib.contextmanager
def page_of(home: Path) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=[*QUIET, *FAKE_DEVICES],
            env={**os.environ, "HOME": str(home)},
        )  # fmt: skip
        try:
            yield browser.new_page()
        finally:
            browser.close()


def test_with_the_authority_trusted_a_specialist_sees_the_pictures(demo: Demo, tmp_path: Path) -> None:
    trusting(tmp_path, demo.data_dir / "ca" / "ca.pem")
    with page_of(tmp_path) as page:
        join(page, demo.base_url, demo.user("specialist"))
        expect(page.get_by_test_id("room")).to_be_visible(timeout=SEE_WITHIN_MS)
        assert page.evaluate("isSecureContext"), "without it a browser gives no microphone"
        look = (
            "() => [...document.querySelectorAll('video')].some(v => v.videoWidth > 0 && v.currentTime > 0)"
        )
        page.wait_for_function(look, timeout=SEE_WITHIN_MS)


def test_a_renewed_certificate_is_shown_without_a_restart_and_the_room_goes_on(
    demo: Demo, tmp_path: Path
) -> None:
    authority = demo.data_dir / "ca" / "ca.pem"
    trusting(tmp_path, authority)
    with page_of(tmp_path) as page:
        join(page, demo.base_url, demo.user("specialist2"))
        expect(page.get_by_test_id("room")).to_be_visible(timeout=SEE_WITHIN_MS)
        before = fingerprint(demo)
        renewing = ["admin", "ca", "renew", "--force", "--data-dir", str(demo.data_dir)]
        subprocess.run([sys.executable, "-m", "teleconsult", *renewing], check=True)
        until(lambda: fingerprint(demo) != before, "the new certificate is not shown")
        played = "() => [...document.querySelectorAll('video')].map(v => v.currentTime)"
        seen = max(page.evaluate(played))
        page.wait_for_function(f"() => Math.max(...({played})()) > {seen} + 1", timeout=SEE_WITHIN_MS)
        assert '"socket.too_slow"' not in demo.log


def fingerprint(demo: Demo) -> str:
    """Of the certificate a new connection is shown, by OpenSSL, which verifies it."""
    place = demo.base_url.removeprefix("https://")
    authority = str(demo.data_dir / "ca" / "ca.pem")
    shown = subprocess.run(
        ["openssl", "s_client", "-connect", place, "-CAfile", authority, "-verify_return_error"],
        input="", capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    found = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", shown, re.DOTALL)
    assert found is not None
    return found[0]


def test_without_the_authority_a_browser_refuses(demo: Demo, tmp_path: Path) -> None:
    with page_of(tmp_path) as page, pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
        page.goto(demo.base_url)
