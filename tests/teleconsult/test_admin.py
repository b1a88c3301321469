"""`teleconsult admin`: what it changes, what it records, what it never shows."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import stat
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pyotp
import pytest

import teleconsult.admin.common as common
from core import enrolments
from core.clock import SystemClock
from core.config import Settings
from core.consultations import open_consultation
from core.database import Database
from core.device_access import normal_code
from core.people import find_organisation
from core.qr import qr_terminal
from core.sessions import load_revocations
from core.tokens import Revocations, Tokens, load_or_create_keys
from core.trail import read_audit
from signaling.app import create_app
from signaling.main import serving
from teleconsult.cli import run

T = TypeVar("T")
PASSWORD = "correct horse battery"


class Admin:
    """Runs commands on one data directory, as a script would."""

    def __init__(self, data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
        self.data_dir = data_dir
        self._capsys, self._monkeypatch = capsys, monkeypatch

    def __call__(self, *arguments: str, stdin: str = "", data_dir: bool = True) -> Any:
        """What it printed, as JSON. Fails when it failed."""
        code, out, err = self.attempt(*arguments, stdin=stdin, data_dir=data_dir)
        assert code == 0, err
        return json.loads(out)

    def refused(self, *arguments: str, stdin: str = "") -> str:
        """The one line it failed with."""
        code, out, err = self.attempt(*arguments, stdin=stdin)
        assert code == 1, out + err
        assert out == ""
        (line,) = err.strip().splitlines()
        return line

    def attempt(self, *arguments: str, stdin: str = "", data_dir: bool = True) -> tuple[int, str, str]:
        self._capsys.readouterr()
        self._monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        where = ["--data-dir", str(self.data_dir)] if data_dir else []
        with pytest.raises(SystemExit) as ended:
            run(["admin", *arguments, *where, "--json"])
        found = self._capsys.readouterr()
        return int(ended.value.code or 0), found.out, found.err

    def database(self, work: Callable[[Database], Awaitable[T]]) -> T:
        async def opened() -> T:
            database = await Database.open(self.settings.database_url, SystemClock())
            try:
                return await work(database)
            finally:
                await database.close()

        return asyncio.run(opened())

    @property
    def settings(self) -> Settings:
        return Settings(data_dir=self.data_dir, port=0).resolve_paths()

    def audit(self) -> list[tuple[str, str]]:
        rows = self.database(lambda database: read_audit(database))
        return [(row.actor, row.action) for row in rows]

    def person(self, username: str = "li", role: str = "site") -> Any:
        return self(
            "user",
            "add",
            username,
            "--role",
            role,
            "--organisation",
            "Clinic",
            "--stdin",
            stdin=PASSWORD + "\n",
        )

    def consultation(self, room: str = "demo") -> str:
        async def opening(database: Database) -> str:
            clinic = await find_organisation(database, "Clinic")
            assert clinic is not None
            made = await open_consultation(
                database, room=room, header="张*三", record=True, organisation_id=clinic.organisation_id
            )
            return made.consultation_id

        return self.database(opening)


@pytest.fixture
def admin(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Admin:
    return Admin(tmp_path / "data", capsys, monkeypatch)


@pytest.fixture
def clinic(admin: Admin) -> Admin:
    """With one organisation."""
    admin("organisation", "add", "Clinic")
    return admin


async def login(admin: Admin, **body: Any) -> tuple[int, Any]:
    """Sign in at a service with this data directory."""
    settings, clock = admin.settings, SystemClock()
    database = await Database.open(settings.database_url, clock)
    try:
        app = await create_app(settings, database, clock, [])
        async with serving(app, settings) as port, aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{port}/api/v1/auth/login"
            async with session.post(url, json=body) as response:
                return response.status, await response.json()
    finally:
        await database.close()


# --- people ------------------------------------------------------------------------------


def test_a_person_who_was_added_signs_in(clinic: Admin) -> None:
    added = clinic.person()
    assert (added["username"], added["role"], added["organisation"]) == ("li", "site", "Clinic")
    assert "password" not in added, "whoever typed it knows it"
    status, _ = asyncio.run(login(clinic, username="li", password=PASSWORD))
    assert status == 200


def test_a_made_up_password_is_shown_once_and_works(clinic: Admin) -> None:
    add = ("user", "add", "li", "--role", "site", "--organisation", "Clinic", "--generate")
    password = clinic(*add)["password"]
    assert len(password) >= 16
    assert asyncio.run(login(clinic, username="li", password=password))[0] == 200
    assert "password" not in clinic("user", "show", "li")


def test_roles_that_need_a_second_factor_get_one_and_cannot_sign_in_without(clinic: Admin) -> None:
    added = clinic.person("root", "admin")
    status, problem = asyncio.run(login(clinic, username="root", password=PASSWORD))
    assert (status, problem["code"]) == (401, "totp_required")
    code = pyotp.parse_uri(added["totp_uri"]).now()
    assert asyncio.run(login(clinic, username="root", password=PASSWORD, code=code))[0] == 200
    assert clinic("user", "show", "root")["second_factor"] is True
    assert "totp_secret" not in clinic("user", "show", "root")


def test_a_disabled_person_is_signed_out_and_stays_out_until_enabled(clinic: Admin) -> None:
    added = clinic.person()
    clinic("user", "disable", "li")
    assert asyncio.run(login(clinic, username="li", password=PASSWORD))[0] == 401
    assert added["user_id"] in clinic.database(_revoked)
    clinic("user", "enable", "li")
    time.sleep(0.001)  # tokens of the same microsecond would be void, too
    assert asyncio.run(login(clinic, username="li", password=PASSWORD))[0] == 200


async def _revoked(database: Database) -> set[str]:
    return set(await load_revocations(database))


@pytest.mark.parametrize(
    "change",
    [("password", "--generate"), ("role", "specialist"), ("totp",), ("totp", "--remove"), ("disable",)],
)
def test_every_change_that_matters_signs_the_person_out(clinic: Admin, change: tuple[str, ...]) -> None:
    added = clinic.person()
    clinic("user", change[0], "li", *change[1:])
    assert added["user_id"] in clinic.database(_revoked)


def test_a_new_password_replaces_the_old(clinic: Admin) -> None:
    clinic.person()
    clinic("user", "password", "li", "--stdin", stdin="another good one\n")
    assert asyncio.run(login(clinic, username="li", password=PASSWORD))[0] == 401
    assert asyncio.run(login(clinic, username="li", password="another good one"))[0] == 200


def test_a_role_that_needs_a_second_factor_brings_one(clinic: Admin) -> None:
    clinic.person()
    changed = clinic("user", "role", "li", "auditor")
    assert (changed["role"], changed["second_factor"]) == ("auditor", True)
    assert changed["totp_secret"]


def test_people_are_listed_without_anything_secret(clinic: Admin) -> None:
    clinic.person()
    clinic.person("root", "admin")
    rows = clinic("user", "list")
    assert [row["username"] for row in rows] == ["li", "root"]
    assert set(rows[0]) == {
        "user_id", "username", "display_name", "role", "organisation", "second_factor", "disabled",
    }  # fmt: skip
    assert clinic("user", "list", "--organisation", "Clinic") == rows


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (
            ("user", "add", "li", "--role", "site", "--organisation", "Clinic", "--stdin"),
            "short\n",
            "8 to 1024",
        ),
        (("user", "add", "li", "--role", "site", "--organisation", "Clinic", "--stdin"), "\n", "empty"),
        (("user", "add", "li", "--role", "site", "--organisation", "Clinic"), "", "--stdin"),
        (
            ("user", "add", "Li Na", "--role", "site", "--organisation", "Clinic", "--generate"),
            "",
            "user name",
        ),
        (
            ("user", "add", "li", "--role", "site", "--organisation", "Nowhere", "--generate"),
            "",
            "organisation add",
        ),
        (("user", "show", "nobody"), "", "user list"),
        (("user", "password", "nobody", "--generate"), "", "user list"),
        (("organisation", "add", "Clinic"), "", "exists already"),
        (("organisation", "add", " "), "", "characters"),
        (("organisation", "add", "a\nb\x1b[31m"), "", "printable"),
        (("device", "add", "Cart", "--organisation", "Clinic", "--feeds", "A b"), "", "--feeds"),
        (("device", "disable", "Cart"), "", "device list"),
        (("device", "attach", "Cart", "demo"), "", "device list"),
        (("token", "whep", "demo"), "", "no open consultation"),
        (("token", "revoke", "t_1"), "", "token list"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_with_the_fix(
    clinic: Admin, arguments: tuple[str, ...], stdin: str, said: str
) -> None:
    assert said in clinic.refused(*arguments, stdin=stdin)


def test_a_wrong_data_directory_is_told_and_not_filled(admin: Admin) -> None:
    assert "--config FILE or --data-dir DIR" in admin.refused("user", "list")
    assert not admin.data_dir.exists()


def test_files_of_another_user_are_not_touched(clinic: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root would leave files there that the service's own user cannot read."""
    monkeypatch.setattr(common.os, "geteuid", lambda: os.getuid() + 1)
    assert "sudo -u" in clinic.refused("user", "list")


# --- devices and tokens ------------------------------------------------------------------


def test_a_box_is_added_attached_detached_and_disabled(clinic: Admin) -> None:
    box = clinic("device", "add", "Theatre 3", "--organisation", "Clinic", "--feeds", "scope, room")
    assert box["feeds"] == ["scope", "room"]
    consultation = clinic.consultation()
    attached = clinic("device", "attach", "Theatre 3", "demo")
    assert (attached["device_id"], attached["consultation_id"]) == (box["device_id"], consultation)
    assert clinic("device", "detach", box["device_id"], consultation)["attached"] is False
    assert "not attached" in clinic.refused("device", "detach", "Theatre 3", "demo")
    assert clinic("device", "disable", "Theatre 3")["disabled"] is True
    assert "disabled" in clinic.refused("device", "attach", "Theatre 3", "demo")
    assert clinic("device", "enable", "Theatre 3")["disabled"] is False
    assert [row["name"] for row in clinic("device", "list")] == ["Theatre 3"]


def register(clinic: Admin, code: str) -> None:
    clinic.database(lambda database: enrolments.register_key(database, code, "key"))


def test_a_box_is_enrolled_by_its_code_and_revoked(clinic: Admin) -> None:
    box = clinic("device", "add", "Theatre 3", "--organisation", "Clinic", "--feeds", "scope")
    assert len(normal_code(box["code"]) or "") == 12
    newer = clinic("device", "code", "Theatre 3", "--minutes", "5")
    assert newer["code"] != box["code"]
    register(clinic, newer["code"])
    assert [row["enrolment"] for row in clinic("device", "list")] == ["enrolled"]
    clinic.consultation()
    clinic("device", "attach", "Theatre 3", "demo")
    assert "a key of its own" in clinic.refused("token", "whip", "demo", "--device", "Theatre 3")
    before = int(time.time() * 1_000_000)
    assert clinic("device", "revoke", "Theatre 3")["enrolment"] == "revoked"
    revoked = clinic.database(load_revocations)
    assert revoked[f"device:{box['device_id']}"][0] >= before
    assert "enrol it anew" in clinic.refused("device", "attach", "Theatre 3", "demo")


def test_a_code_is_shown_to_people_with_a_picture_to_scan(
    clinic: Admin, capsys: pytest.CaptureFixture[str]
) -> None:
    add = ["admin", "device", "add", "Cart", "--organisation", "Clinic", "--feeds", "scope"]
    with pytest.raises(SystemExit):
        run([*add, "--server", "https://consult.example.org", "--data-dir", str(clinic.data_dir)])
    shown = capsys.readouterr()
    code = re.search(r"^ {4}(\S{4}-\S{4}-\S{4})$", shown.out, re.MULTILINE)
    assert code is not None
    assert qr_terminal(f"https://consult.example.org/#{code[1]}").splitlines()[5] in shown.out
    assert f"edge enroll {code[1]} --server https://consult.example.org" in " ".join(shown.err.split())


def test_a_server_that_is_no_address_is_refused(clinic: Admin) -> None:
    add = ("device", "add", "Cart", "--organisation", "Clinic", "--feeds", "scope")
    assert "allowed: https://HOST" in clinic.refused(*add, "--server", "consult")


def test_two_boxes_of_one_name_are_told_apart_by_id(clinic: Admin) -> None:
    for _ in range(2):
        clinic("device", "add", "Cart", "--organisation", "Clinic", "--feeds", "scope")
    assert "give the id: d_" in clinic.refused("device", "disable", "Cart")


def claims_of(admin: Admin, token: str) -> Any:
    settings = admin.settings
    return Tokens(load_or_create_keys(settings.token_key_file), SystemClock(), Revocations()).verify_room(
        token
    )


def test_an_encoders_token_publishes_its_feed_and_nothing_else(clinic: Admin) -> None:
    clinic.consultation()
    made = clinic("token", "whip", "demo", "--feed", "scope", "--minutes", "90")
    claims = claims_of(clinic, made["token"])
    assert claims.jti == made["token_id"]
    assert (claims.room, claims.role) == ("demo", "device")
    assert claims.grants.may_publish_feed("scope")
    assert not claims.grants.may_publish_feed("other")
    assert not claims.grants.subscribe
    assert claims.exp - claims.iat == pytest.approx(90 * 60)
    assert made["path"] == "/whip/demo/scope"


def test_a_players_token_watches_and_nothing_else(clinic: Admin) -> None:
    clinic.consultation()
    grants = claims_of(clinic, clinic("token", "whep", "demo", "--feed", "scope")["token"]).grants
    assert grants.may_view("scope")
    assert not grants.may_view("other")
    assert not grants.publish
    assert not grants.chat


def test_a_boxs_token_needs_the_box_attached(clinic: Admin) -> None:
    box = clinic("device", "add", "Cart", "--organisation", "Clinic", "--feeds", "scope,room")
    clinic.consultation()
    whip = ("token", "whip", "demo", "--device", "Cart")
    assert f"device attach {box['device_id']} demo" in clinic.refused(*whip)
    clinic("device", "attach", "Cart", "demo")
    claims = claims_of(clinic, clinic(*whip)["token"])
    assert claims.sub == f"device:{box['device_id']}"
    assert claims.grants.feeds == ["scope", "room"]
    assert "scope, room" in clinic.refused(*whip, "--feed", "other")


def test_a_token_may_go_into_a_file_that_only_its_owner_reads(clinic: Admin, tmp_path: Path) -> None:
    clinic.consultation()
    file = tmp_path / "box.token"
    made = clinic("token", "whip", "demo", "--out", str(file))
    assert "token" not in made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert claims_of(clinic, file.read_text().strip()).jti == made["token_id"]


def test_tokens_are_listed_while_they_are_good_and_can_be_voided(clinic: Admin) -> None:
    clinic.consultation()
    first = clinic("token", "whip", "demo", "--feed", "scope")
    second = clinic("token", "whep", "demo")
    listed = clinic("token", "list")
    assert [(row["token_id"], row["kind"], row["feed"]) for row in listed] == [
        (second["token_id"], "whep", "*"), (first["token_id"], "whip", "scope"),
    ]  # fmt: skip
    assert first["token"] not in json.dumps(listed)
    clinic("token", "revoke", first["token_id"])
    assert [row["token_id"] for row in clinic("token", "list")] == [second["token_id"]]
    assert {row["state"] for row in clinic("token", "list", "--all")} == {"good", "revoked"}


# --- the trail ---------------------------------------------------------------------------


def test_every_act_is_recorded_with_who_did_it_and_without_names_or_secrets(clinic: Admin) -> None:
    acts: list[tuple[str, ...]] = [
        ("user", "password", "li", "--generate"),
        ("user", "totp", "li"),
        ("user", "totp", "li", "--remove"),
        ("user", "role", "li", "specialist"),
        ("user", "disable", "li"),
        ("user", "enable", "li"),
        ("device", "add", "Theatre 3", "--organisation", "Clinic", "--feeds", "scope"),
        ("device", "attach", "Theatre 3", "demo"),
        ("device", "disable", "Theatre 3"),
        ("device", "enable", "Theatre 3"),
        ("device", "detach", "Theatre 3", "demo"),
        ("device", "code", "Theatre 3"),
        ("device", "revoke", "Theatre 3"),
        ("token", "whip", "demo"),
        ("ca", "init"),
        ("ca", "issue", "localhost"),
        ("ca", "renew", "--force"),
        ("backup", "create", str(clinic.data_dir / "b"), "--plain"),
    ]
    clinic.person()
    clinic.consultation()
    shown = [json.dumps(clinic(*act)) for act in acts]
    assert {action for _, action in clinic.audit()} == {
        "organisation_add", "user_add", "user_password", "user_totp", "user_totp_remove", "user_role",
        "user_disable", "user_enable", "device_add", "device_attach", "device_disable", "device_enable",
        "device_detach", "device_code", "device_revoke", "token_issue", "ca_init", "ca_issue", "ca_renew",
        "backup_create",
    }  # fmt: skip
    assert all(actor.startswith("operator:") for actor, _ in clinic.audit())
    trail = str(clinic.database(lambda database: read_audit(database)))
    secrets = [json.loads(text) for text in shown]
    for found in secrets:
        for key in ("password", "totp_secret", "token", "code"):
            assert found.get(key, "nothing") not in trail
    assert "Theatre 3" not in trail
    assert "Clinic" not in trail
