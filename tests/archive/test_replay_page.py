"""The page for the courtroom: what it holds, what its signature is worth, and how standard tools check it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from archive import replay_page_make
from archive.cli import app
from archive.faults import Verdict
from archive.keys import ArchiveSigner, publish_signer
from archive.replay_page import Mark, Parts, Trusted, check_page, make_page, sign_page
from core.errors import ProtocolError
from tests.archive import support

PARTS = Parts("'use strict';console.log(1)", "body{color:red}", "onmessage=()=>{}")
KEY = support.keys().signer
MARKS = [Mark("con_b", 3, "b" * 64), Mark("con_a", 2, "a" * 64)]
SVG = ("http://www.w3.org/1998/Math/MathML", "http://www.w3.org/1999/xlink", "http://www.w3.org/2000/svg")
XML = "http://www.w3.org/XML/1998/namespace"
NAMES = (*SVG, XML)
"""XML name spaces: nothing fetches them."""
LOADING = ("src", "href", "action", "data", "srcset")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def page(**changes: Any) -> bytes:
    wanted: dict[str, Any] = {
        "parts": PARTS,
        "signer": KEY.public,
        "trusted": Trusted([KEY.public]),
        "marks": MARKS,
    }
    return make_page(**(wanted | changes))


class Elements(HTMLParser):
    """What stands in a page: (tag, attributes, text)."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self.found.append(("", {}, ""))

    def handle_data(self, data: str) -> None:
        if self.found:
            tag, attributes, text = self.found[-1]
            self.found[-1] = (tag, attributes, text + data)

    def named(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attributes, text) for name, attributes, text in self.found if name == tag]


def elements(data: bytes) -> Elements:
    return Elements(data.decode())


def baked(data: bytes) -> dict[str, Any]:
    (text,) = [text for attributes, text in elements(data).named("script") if attributes.get("id") == "baked"]
    found: dict[str, Any] = json.loads(text)
    return found


# --- the page ---------------------------------------------------------------------------------


def test_the_same_input_makes_the_same_page_to_the_byte() -> None:
    assert page() == page(marks=MARKS[::-1]) == page(trusted=Trusted([KEY.public, KEY.public]))
    assert sign_page(page(), KEY) == sign_page(page(), KEY)


def test_the_policy_allows_the_script_and_the_style_that_stand_in_the_page_and_no_others() -> None:
    found = elements(page())
    (policy,) = [
        attributes["content"]
        for attributes, _ in found.named("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for rule in ("default-src", "connect-src", "base-uri", "form-action"):
        assert rules[rule] == "'none'"
    (script,) = [text for attributes, text in found.named("script") if "type" not in attributes]
    ((_, style),) = found.named("style")
    for rule, text in (("script-src", script), ("style-src", style)):
        wanted = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{wanted}'"


def test_it_says_whom_it_trusts_and_where_the_archives_stood() -> None:
    other = ArchiveSigner.generate().public
    found = baked(page(trusted=Trusted([other, KEY.public], [other], ["log+1+a"], ["w+2+b"])))
    assert found["signers"] == sorted([other, KEY.public])
    assert found["signer"] == KEY.public
    assert (found["people"], found["logs"], found["witnesses"]) == ([other], ["log+1+a"], ["w+2+b"])
    assert found["made_for"] == [
        {"consultation": "con_a", "entries": 2, "head": "a" * 64},
        {"consultation": "con_b", "entries": 3, "head": "b" * 64},
    ]


def test_nothing_baked_in_can_end_its_element() -> None:
    data = page(marks=[Mark("</script><script>alert(1)</script><!--", 1, "0" * 64)])
    assert len(elements(data).named("script")) == 3
    assert baked(data)["made_for"][0]["consultation"].startswith("</script>")


@pytest.mark.parametrize("text", ["</script>", "</STYLE >", "<!-- ", "a\r\nb"])
def test_a_part_that_would_end_its_element_or_be_rewritten_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError, match="cannot stand"):
        page(parts=Parts(text, "", ""))


# --- its signature ----------------------------------------------------------------------------


def test_the_signature_holds_and_does_not_when_any_one_byte_is_changed() -> None:
    data = page()
    signature = sign_page(data, KEY)
    assert check_page(data, signature, [KEY.public]).verdict is Verdict.INTACT
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        assert check_page(changed, signature, [KEY.public]).verdict is Verdict.ALTERED, at
    for at in range(len(signature)):
        changed = signature[:at] + bytes([signature[at] ^ 1]) + signature[at + 1 :]
        assert check_page(data, changed, [KEY.public]).verdict is Verdict.ALTERED, at


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\n", lambda data: b""])
def test_a_page_that_was_cut_or_lengthened_is_altered(change: Any) -> None:
    data = page()
    assert check_page(change(data), sign_page(data, KEY), [KEY.public]).verdict is Verdict.ALTERED


def test_a_page_signed_by_a_stranger_cannot_be_verified() -> None:
    stranger = ArchiveSigner.generate()
    data = page(signer=stranger.public)
    assert check_page(data, sign_page(data, stranger), [KEY.public]).verdict is Verdict.UNVERIFIABLE


def test_a_key_signs_no_page_of_another_and_nothing_that_is_no_page() -> None:
    for data in (page(signer=ArchiveSigner.generate().public), b"teleconsult-archive-entry/1\n{}"):
        with pytest.raises(ProtocolError):
            sign_page(data, KEY)


# --- the commands -----------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """`make test` builds the parts first."""
    replay_page_make.read_parts()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "archive"
    support.write(root)
    publish_signer(root, KEY.public)
    (tmp_path / "sign.pem").write_bytes(KEY.pem())
    return root


@pytest.fixture
def made(root: Path) -> Path:
    out = root.parent / "replay.html"
    assert make(root, out).exit_code == 0
    return out


def make(root: Path, out: Path, *more: object) -> Result:
    return run("replay-page", out, "--archive", root, "--sign", root.parent / "sign.pem", *more)


def test_the_command_prints_the_sum_that_everybody_else_computes(root: Path) -> None:
    out = root.parent / "replay.html"
    result = make(root, out)
    assert result.exit_code == 0, result.output
    assert hashlib.sha256(out.read_bytes()).hexdigest() in result.stdout
    again = json.loads(make(root, root.parent / "again.html", "--json").stdout)
    assert again["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert again["consultations"] == [support.CONSULTATION]
    assert baked(out.read_bytes())["made_for"][0]["entries"] == len(lines(root))


def lines(root: Path) -> list[bytes]:
    return (root / support.CONSULTATION / "manifest.jsonl").read_bytes().splitlines(keepends=True)


def test_the_page_vouches_for_the_last_line_there_is(root: Path, made: Path) -> None:
    (mark,) = baked(made.read_bytes())["made_for"]
    assert mark["head"] == hashlib.sha256(lines(root)[-1]).hexdigest()


def test_the_shipped_page_names_no_address_that_anything_could_fetch(made: Path) -> None:
    text = made.read_text(encoding="utf-8")
    found = set(re.findall(r"(?:https?|wss?|ftp)://[\w\[][^\s\"'`)<>]*", text))
    assert found <= set(NAMES), found
    for tag, attributes, _ in elements(made.read_bytes()).found:
        loads = {
            attributes[name] for name in ("src", "href", "action", "data", "srcset") if name in attributes
        }
        assert loads <= {"data:,"}, (tag, attributes)
    (style,) = [text for _, text in elements(made.read_bytes()).named("style")]
    assert "url(" not in style
    assert "@import" not in style


def test_openssl_agrees_with_the_command_about_the_signature(root: Path, made: Path) -> None:
    public = root.parent / "signer.pem"
    der = bytes.fromhex("302a300506032b6570032100" + KEY.public.removeprefix("ed25519:"))
    encoded = base64.b64encode(der).decode()
    public.write_text(f"-----BEGIN PUBLIC KEY-----\n{encoded}\n-----END PUBLIC KEY-----\n")
    assert openssl(made, public) == 0
    made.write_bytes(made.read_bytes().replace(b"<title>", b"<title> "))
    assert openssl(made, public) != 0


def openssl(page: Path, public: Path) -> int:
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(public), "-rawin", "-in", str(page)]
    return subprocess.run([*command, "-sigfile", f"{page}.sig"], capture_output=True).returncode


def test_the_exit_code_says_good_altered_missing_or_not_trusted(root: Path, made: Path) -> None:
    other = ArchiveSigner.generate().public
    assert run("verify-page", made, "--archive", root).exit_code == 0
    assert run("verify-page", made, "--signer", KEY.public).exit_code == 0
    assert run("verify-page", made, "--signer", other).exit_code == 13
    moved = made.with_name("elsewhere.sig")
    shutil.move(f"{made}.sig", moved)
    assert run("verify-page", made, "--archive", root).exit_code == 12
    assert run("verify-page", made, "--archive", root, "--signature", moved).exit_code == 0
    content = made.read_bytes()
    made.write_bytes(content[:5000] + bytes([content[5000] ^ 1]) + content[5001:])
    assert run("verify-page", made, "--archive", root, "--signature", moved).exit_code == 10


def test_nothing_that_is_there_is_replaced(root: Path, made: Path) -> None:
    before = made.read_bytes()
    assert make(root, made).exit_code == 2
    assert made.read_bytes() == before
    made.unlink()
    assert make(root, made).exit_code == 2  # its signature is still there
    assert not made.exists()


def test_a_damaged_consultation_is_left_out_and_makes_the_exit_code(root: Path) -> None:
    other = support.write(root, "con_other")
    manifest = other / "manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes().replace(b'"frames":30', b'"frames":31', 1))
    out = root.parent / "replay.html"
    result = make(root, out, "--json")
    assert result.exit_code == 10
    told = json.loads(result.stdout)
    assert told["consultations"] == [support.CONSULTATION]
    assert [item["consultation"] for item in told["left_out"]] == ["con_other"]
    assert run("verify-page", out, "--archive", root).exit_code == 0


def test_an_archive_by_a_stranger_is_not_vouched_for(root: Path) -> None:
    told = json.loads(
        make(root, root.parent / "p.html", "--signer", ArchiveSigner.generate().public, "--json").stdout
    )
    assert told["consultations"] == []
    assert told["exit_code"] == 13


def test_without_a_key_to_sign_with_or_anybody_to_trust_there_is_no_page(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "none.html"
    missing = run("replay-page", out, "--archive", root, "--sign", tmp_path / "no.pem")
    assert missing.exit_code == 2
    (root / "trusted-signers.txt").unlink()
    trusting = make(root, out)
    assert trusting.exit_code == 2
    assert "--signer" in trusting.output
    assert not out.exists()
