"""What the processes of a service write down while a consultation runs, and people make mistakes: no secret,
no token, nobody's name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyotp
import pytest

from archive.keys import create_identity
from tests.support.rest import Rest
from tests.support.seat import Seat
from tests.support.service import Service, until

PASSWORD = "Sesame-öffne-dich-4711"
NAMES = {
    "patient": "欧阳修文",
    "patient_latin": "Quirinus Zappelphilipp",
    "nurse": "Nurse Wilhelmina Okonkwo",
    "specialist": "Dr Xaver Unterhuber",
    "guest": "Prof Gudrun Gästlein",
    "clinic": "Kräuterhof Clinic",
    "hospital": "Bergspitz Hospital",
    "box": "Theatre Seven Endoscope",
    "chat": "the patient Zebulon Quast bleeds",
    "file": "Zebulon-Quast-report.pdf",
    "question": "is Zebulon's lesion malignant?",
    "exam": "EXAM-77-ZQ",
}


@dataclass
class Said:
    """Everything that must not be found in a log."""

    secrets: dict[str, str] = field(default_factory=dict)

    def keep(self, name: str, value: str) -> str:
        assert len(value) >= 4, "too short to be looked for"
        self.secrets[name] = value
        return value

    def found_in(self, log: str) -> list[str]:
        """Names of those that are there: as they are, as JSON, percent-encoded."""
        return [
            name
            for name, value in self.secrets.items()
            if any(
                form in log for form in {value, json.dumps(value)[1:-1], quote(value), quote(value, safe="")}
            )
        ]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    recipients = [create_identity(tmp_path / f"{number}.agekey") for number in range(2)]
    environment = {
        "TELECONSULT_RECIPIENTS": json.dumps(
            [
                {"custodian": "First", "recipient": recipients[0]},
                {"custodian": "Second", "recipient": recipients[1], "offline": True},
            ]
        )
    }
    with Service(tmp_path / "service", environment=environment) as made:
        made.start()
        made.until_ready()
        yield made


def people(service: Service, said: Said) -> dict[str, Any]:
    """Organisations, people, a box; and what was made for them."""
    for name, value in NAMES.items():
        said.keep(name, value)
    said.keep("password", PASSWORD)
    clinic = service.admin("organisation", "add", NAMES["clinic"])
    hospital = service.admin("organisation", "add", NAMES["hospital"])
    for username, role, name, organisation in (
        ("li", "site", NAMES["nurse"], clinic), ("wang", "specialist", NAMES["specialist"], hospital),
        ("root", "admin", "Administrator", clinic),
    ):  # fmt: skip
        made = service.admin(
            "user", "add", username, "--role", role, "--organisation", organisation["organisation_id"],
            "--name", name, "--stdin", stdin=PASSWORD + "\n",
        )  # fmt: skip
        if "totp_secret" in made:
            said.keep("totp_secret", made["totp_secret"])
    box = service.admin(
        "device", "add", NAMES["box"], "--organisation", clinic["organisation_id"], "--feeds", "scope"
    )
    secret = Path(service.settings["data_dir"]) / "keys" / "service.secret"
    said.keep("service secret", secret.read_text().strip())
    return {"hospital": hospital["organisation_id"], "box": box["device_id"]}


def signed_in(service: Service, said: Said, username: str, **more: str) -> Rest:
    caller = Rest(service.base_url)
    answer = caller.expect(
        200, "POST", "/api/v1/auth/login", {"username": username, "password": PASSWORD, **more}
    )
    caller.token = said.keep(f"{username}: access", answer["access_token"])
    said.keep(f"{username}: refresh", answer["refresh_token"])
    return caller


def mistakes(service: Service, said: Said) -> None:
    """People type secrets into the wrong place; programs send them where they do not belong."""
    nobody = Rest(service.base_url)
    nobody.call("POST", "/api/v1/auth/login", {"username": PASSWORD, "password": PASSWORD})
    nobody.call(
        "POST", "/api/v1/auth/login", {"username": "li", "password": said.keep("typo", "typo-" + PASSWORD)}
    )
    nobody.call("POST", "/api/v1/auth/login", {"username": "root", "password": PASSWORD, "code": "000000"})
    nobody.call("POST", "/api/v1/auth/login", b'{"username": "li", "password": "' + PASSWORD.encode())
    nobody.call(
        "POST", "/api/v1/auth/refresh", {"refresh_token": said.keep("no refresh", "not-a-refresh-token")}
    )
    nobody.call(
        "POST", "/api/v1/invitations/redeem", {"token": said.keep("no invitation", "not-an-invitation")}
    )
    nobody.call("GET", f"/{quote(NAMES['patient_latin'])}")
    nobody.call("GET", f"/api/v1/rooms/{quote(NAMES['patient'])}/join?token={quote(PASSWORD)}")
    nobody.call("GET", "/api/v1/me", headers={"Authorization": f"Bearer {quote(PASSWORD)}"})
    nobody.call("GET", f"/api/v1/consultations/{quote(NAMES['patient_latin'])}")
    nobody.call(
        "POST", f"/whep/{quote(NAMES['patient_latin'])}/scope", b"v=0", {"Content-Type": "application/sdp"}
    )
    nobody.call("POST", f"/whip/{quote(NAMES['patient'])}/scope", b"v=0", {"Content-Type": "application/sdp"})


def consultation(rest: Rest, made: dict[str, Any]) -> dict[str, Any]:
    form = {
        "patient": {"name": NAMES["patient"], "sex": "male", "age": 57, "exam_number": NAMES["exam"]},
        "specialty": "endoscopy", "question": NAMES["question"], "consent_consult": True,
        "consent_record": True, "record": True, "devices": [made["box"]], "invited": [made["hospital"]],
    }  # fmt: skip
    rest.call("POST", "/api/v1/consultations", form | {"consent_record": False})
    rest.call("POST", "/api/v1/consultations", form | {"patient": {"name": NAMES["patient_latin"]}})
    return dict(rest.expect(201, "POST", "/api/v1/consultations", form))


def guest(service: Service, said: Said, site: Rest, room: str) -> Rest:
    invitation = site.invite(NAMES["guest"], NAMES["hospital"], room=room, lobby=True)
    token = said.keep("invitation", invitation["url"].rpartition("/")[2])
    caller = Rest(service.base_url)
    answer = caller.expect(200, "POST", "/api/v1/invitations/redeem", {"token": token})
    caller.token = said.keep("guest: access", answer["access_token"])
    said.keep("guest: refresh", answer["refresh_token"])
    caller.call("POST", "/api/v1/invitations/redeem", {"token": token})
    return caller


def talk(service: Service, said: Said, site: Rest, specialist: Rest, late: Rest, room: str) -> None:
    """Chat, a file, the lobby, nonsense."""
    token = said.keep("room token", site.room_token(room))
    with (
        Seat(service.base_url, room, token) as nurse,
        Seat(service.base_url, room, said.keep("room token 2", specialist.room_token(room))) as doctor,
        Seat(service.base_url, room, said.keep("room token 3", late.room_token(room))) as knocking,
    ):
        said.keep("resume", nurse.wait_for("welcome")["resume_token"])
        doctor.wait_for("welcome")
        knock = nurse.wait_for("knock")
        nurse.say({"type": "admit", "participant_id": knock["participant"]["participant_id"]})
        knocking.wait_for("welcome")
        headers = {"Content-Type": "application/pdf", "X-File-Name": quote(NAMES["file"])}
        sender = Rest(service.base_url, token)
        info = sender.call("POST", f"/api/v1/rooms/{room}/files", b"%PDF-1.4 " + b"x" * 2000, headers).json
        doctor.say({"type": "chat", "ref": "r1", "text": NAMES["chat"]})
        nurse.say({"type": "chat", "ref": "r2", "text": "", "file_ids": [info["file_id"]]})
        doctor.say({"type": "chat", "ref": NAMES["chat"], "text": NAMES["chat"]})
        doctor.say(json.dumps({"type": NAMES["chat"], "token": token}))
        doctor.say('{"type": "hello", "token": "' + token)
        offer = "v=0\r\na=ice-pwd:" + said.keep("ice password", "icepassword0123456789abcd") + "\r\n"
        doctor.say({"type": "publish", "offer": offer, "sources": []})
        doctor.wait(lambda message: message["type"] == "error", "mistakes are told")
        nurse.wait(lambda message: message["type"].startswith("chat"), "the message")


def test_a_whole_consultation_leaves_no_secret_no_token_and_no_name_in_any_log(service: Service) -> None:
    said = Said()
    made = people(service, said)
    mistakes(service, said)
    site, specialist = signed_in(service, said, "li"), signed_in(service, said, "wang")
    code = pyotp.TOTP(said.secrets["totp_secret"]).now()
    signed_in(service, said, "root", code=said.keep("code", code))
    opened = consultation(site, made)
    room = opened["room"]
    whip = said.keep("whip token", service.admin("token", "whip", room, "--device", made["box"])["token"])
    headers = {"Content-Type": "application/sdp"}
    Rest(service.base_url, whip).call("POST", f"/whip/{room}/scope", b"v=0\r\nnonsense", headers)
    until(lambda: service.events("recorder.room_joined"), "the recorder does not come")
    talk(service, said, site, specialist, guest(service, said, site, room), room)
    specialist.call("POST", "/api/v1/auth/password", {"password": "wrong-" + PASSWORD, "new_password": "x"})
    specialist.call("POST", "/api/v1/auth/logout")
    service.admin("user", "disable", "wang")
    site.expect(200, "POST", f"/api/v1/consultations/{opened['consultation_id']}/close")
    until(lambda: service.events("recorder.archive_closed"), "the archive is not closed")
    assert service.stop() == 0
    assert said.found_in(service.log) == []
    roles = {json.loads(line)["role"] for line in service.log.splitlines() if line.startswith("{")}
    assert roles >= {"supervisor", "signaling", "recorder", "sfu-1"}, "all of them were looked at"
    assert not re.search(r"eyJ[\w-]{8,}\.", service.log), "no token of any kind"
    assert "Traceback" not in service.log


def test_a_secret_in_a_log_would_be_found() -> None:
    """The search itself: plain, as JSON has it, percent-encoded."""
    said = Said({"name": "欧阳修文", "password": 'a"b c'})
    for log in ("… 欧阳修文 …", json.dumps("欧阳修文"), quote("欧阳修文")):
        assert said.found_in(log) == ["name"]
    assert said.found_in(json.dumps('a"b c')) == ["password"]
    assert said.found_in("nothing") == []
