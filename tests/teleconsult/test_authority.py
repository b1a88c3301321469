"""The hospital's own certificate authority: what it issues is what TLS programs accept, and no more."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from teleconsult import authority
from teleconsult.authority import Authority, issue, names_of, parse_permitted, parse_server_name
from teleconsult.cli import run
from tests.support.certificates import make_authority

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def made() -> Authority:
    return authority.create_authority("Test CA", [parse_permitted("hospital.example")], NOW)


@pytest.mark.parametrize(
    "name",
    ["localhost", "consult.local", "a.b.hospital.example", "hospital.example", "10.1.2.3", "192.168.1.5",
     "100.64.7.7", "::1", "fd12:3456::1"],
)  # fmt: skip
def test_it_vouches_for_private_names_and_those_it_was_made_for(made: Authority, name: str) -> None:
    certificate, _ = issue(made, [parse_server_name(name)], NOW)
    assert list(map(str, names_of(certificate))) == [name]


@pytest.mark.parametrize(
    "name",
    [
        "bank.example",
        "nothospital.example",
        "hospital.example.com",
        "local.evil.com",
        "8.8.8.8",
        "2001:db8::1",
    ],
)
def test_it_vouches_for_nothing_else_and_says_how_to_make_one_that_would(made: Authority, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"may not vouch for {name}.*--permit {name}"):
        issue(made, [parse_server_name(name)], NOW)


@pytest.mark.parametrize(
    "text", ["", " ", "a b", "-.local", "a..b", "*.local", "http://x", "x" * 64, "1.2.3.4/8"]
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="neither a host name"):
        parse_server_name(text)


def test_a_chinese_name_is_taken_in_its_ascii_form() -> None:
    assert parse_server_name("会诊.local") == "会诊.local".encode("idna").decode()


def test_a_certificate_has_what_browsers_want(made: Authority) -> None:
    certificate, key = issue(made, [parse_server_name("consult.local")], NOW)
    assert certificate.not_valid_after_utc - NOW <= timedelta(days=397)
    assert certificate.not_valid_before_utc <= NOW - timedelta(minutes=59), "for clocks that are slow"
    assert key.curve.name == "secp256r1"
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.ExtendedKeyUsageOID.SERVER_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    constraints = made.certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical


def test_no_certificate_outlives_its_authority_or_lives_too_long(made: Authority) -> None:
    name = [parse_server_name("consult.local")]
    late = made.certificate.not_valid_after_utc - timedelta(days=1)
    assert issue(made, name, late)[0].not_valid_after_utc == made.certificate.not_valid_after_utc
    with pytest.raises(ConfigError, match="expired"):
        issue(made, name, late + timedelta(days=2))
    with pytest.raises(ConfigError, match="1 to 397"):
        issue(made, name, NOW, days=398)


@given(
    st.lists(st.sampled_from(["a.local", "b.lan", "10.0.0.1", "::1", "c.internal"]), min_size=1, unique=True)
)
def test_names_come_back_as_they_were_given(names: list[str]) -> None:
    certificate, _ = issue(_MADE, [parse_server_name(name) for name in names], NOW)
    assert sorted(map(str, names_of(certificate))) == sorted(names)


_MADE = make_authority()

# --- on the command line -----------------------------------------------------------------


@pytest.fixture
def ca(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """`ca("init", …)` → what it printed as JSON."""

    def command(*arguments: str) -> Any:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run(["admin", "ca", *arguments, "--data-dir", str(tmp_path), "--json"])
        found = capsys.readouterr()
        return json.loads(found.out) if ended.value.code == 0 else found.err.strip()

    return command


def openssl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *arguments], capture_output=True, text=True, timeout=30, check=False)


def test_openssl_verifies_what_was_issued_for_its_names_and_refuses_others(ca: Any, tmp_path: Path) -> None:
    root = ca("init", "--name", "Township CA")["certificate"]
    issued = ca("issue", "consult.local", "192.168.7.5")
    assert issued["names"] == ["consult.local", "192.168.7.5"]
    verify = ("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", root)
    for option, name in (("-verify_hostname", "consult.local"), ("-verify_ip", "192.168.7.5")):
        done = openssl(*verify, option, name, issued["tls_cert"])
        assert done.returncode == 0, done.stdout + done.stderr
    assert openssl(*verify, "-verify_hostname", "other.local", issued["tls_cert"]).returncode != 0


def test_secrets_are_their_owners_alone(ca: Any, tmp_path: Path) -> None:
    ca("init")
    key = ca("issue", "consult.local")["tls_key"]
    for secret in (tmp_path / "ca" / "ca-key.pem", Path(key)):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_an_authority_is_never_replaced(ca: Any, tmp_path: Path) -> None:
    ca("init")
    before = (tmp_path / "ca" / "ca.pem").read_bytes()
    assert "holds an authority already" in ca("init")
    assert (tmp_path / "ca" / "ca.pem").read_bytes() == before


def test_renewing_keeps_the_names_and_does_nothing_while_there_is_time(ca: Any) -> None:
    ca("init")
    first = ca("issue", "consult.local", "10.0.0.5")
    assert ca("renew") == {"renewed": False, "not_after": first["not_after"]}
    again = ca("renew", "--force")
    assert again["names"] == first["names"]
    assert again["fingerprint"] != first["fingerprint"]
    assert ca("issue", "short.local", "--days", "20")["renewed"]
    assert ca("renew", "--within-days", "30")["names"] == ["short.local"]
    assert [row["names"] for row in ca("show")["issued"]] == [
        ["consult.local", "10.0.0.5"], ["consult.local", "10.0.0.5"], ["short.local"], ["short.local"],
    ]  # fmt: skip


def test_a_key_with_a_passphrase_needs_it(ca: Any, tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("a long enough one\n")
    assert ca("init", "--passphrase-file", str(secret))["passphrase"]
    assert b"ENCRYPTED" in (tmp_path / "ca" / "ca-key.pem").read_bytes()
    assert "--passphrase-file" in ca("issue", "consult.local")
    assert ca("issue", "consult.local", "--passphrase-file", str(secret))["names"] == ["consult.local"]
    secret.write_text("another wrong one\n")
    assert "wrong passphrase" in ca("issue", "consult.local", "--passphrase-file", str(secret))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("issue", "consult.local"), "admin ca init"),
        (("renew",), "admin ca issue"),
        (("show",), "admin ca init"),
    ],
)
def test_what_is_missing_is_one_line_with_the_command_that_makes_it(
    ca: Any, arguments: tuple[str, ...], said: str
) -> None:
    answer = ca(*arguments)
    assert said in answer
    assert "\n" not in answer


def test_python_and_curl_take_the_certificate_with_the_authority_trusted(ca: Any, tmp_path: Path) -> None:
    """Against a real server of OpenSSL's."""
    root = ca("init")["certificate"]
    issued = ca("issue", "localhost", "127.0.0.1")
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", "127.0.0.1:0", "-www",
         "-cert", issued["tls_cert"], "-key", issued["tls_key"]],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        port = next(line.rsplit(":", 1)[1].strip() for line in server.stdout if line.startswith("ACCEPT"))
        context = ssl.create_default_context(cafile=root)
        with (
            socket.create_connection(("127.0.0.1", int(port)), 20) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secured,
        ):
            assert secured.version() == "TLSv1.3"
        curl = [
            shutil.which("curl") or "curl",
            "--silent",
            "--fail",
            "--max-time",
            "20",
            "--output",
            "/dev/null",
        ]
        url = f"https://127.0.0.1:{port}/"
        assert subprocess.run([*curl, "--cacert", root, url], check=False).returncode == 0
        assert subprocess.run([*curl, url], check=False).returncode == 60, "not trusted without it"
    finally:
        server.kill()
        server.wait()
