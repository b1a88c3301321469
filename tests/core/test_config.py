"""Where settings come from, which wins, and how a mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.config import Settings, load_settings, split_place
from core.errors import ConfigError


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "teleconsult.toml"


def test_flags_beat_variables_and_variables_beat_the_file(
    toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml.write_text('port = 1001\nudp_port = 1002\nworkers = 3\nhost = "10.0.0.1"\n')
    monkeypatch.setenv("TELECONSULT_PORT", "2001")
    monkeypatch.setenv("TELECONSULT_UDP_PORT", "2002")
    settings = load_settings(toml, port=3001, host=None)
    assert (settings.port, settings.udp_port, settings.workers, settings.host) == (3001, 2002, 3, "10.0.0.1")


def test_relative_paths_are_taken_from_the_data_directory(tmp_path: Path) -> None:
    settings = load_settings(
        None, data_dir=tmp_path, archive_dir="a", token_key_file="/etc/t.pem", web_root="w"
    )
    assert settings.archive_dir == tmp_path / "a"
    assert settings.web_root == tmp_path / "w"
    assert settings.token_key_file == Path("/etc/t.pem")
    assert settings.database_url == f"sqlite+aiosqlite:///{tmp_path}/teleconsult.db"
    assert settings.resolve_paths() == settings


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1", ["teleconsult.toml", "prot", "did you mean port", "allowed"]),
        ("port = 70000", ["teleconsult.toml", "port", "65535"]),
        ('log_level = "loud"', ["teleconsult.toml", "log_level", "warning"]),
        ('announce = ["nowhere"]', ["teleconsult.toml", "announce", "host:port"]),
        ('database_url = "mysql://x:geheim@y/z"', ["teleconsult.toml", "database_url", "postgresql"]),
        (
            'recipients = [{custodian = "A", recipient = "x"}]',
            ["teleconsult.toml", "recipients.0.recipient", "age1"],
        ),
        ("port = ", ["teleconsult.toml", "TOML"]),
        ('tls_cert = "c.pem"', ["tls_key"]),
    ],
)
def test_a_mistake_in_the_file_names_the_file_the_key_and_what_is_allowed(
    toml: Path, text: str, words: list[str]
) -> None:
    toml.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(toml)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "\n" not in message
    assert "geheim" not in message


def test_a_mistake_in_a_variable_or_flag_is_named_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="--udp-port"):
        load_settings(None, udp_port="x")
    monkeypatch.setenv("TELECONSULT_WORKERS", "0")
    with pytest.raises(ConfigError, match="environment: TELECONSULT_WORKERS"):
        load_settings(None)
    monkeypatch.delenv("TELECONSULT_WORKERS")
    monkeypatch.setenv("TELECONSULT_WORKER", "1")
    with pytest.raises(ConfigError, match="did you mean workers"):
        load_settings(None)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        load_settings(tmp_path / "none.toml")


def test_lists_may_be_given_with_commas_or_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECONSULT_ANNOUNCE", "a:1, b:2")
    assert load_settings(None).announce == ["a:1", "b:2"]
    monkeypatch.setenv("TELECONSULT_ANNOUNCE", '["[::1]:5"]')
    assert load_settings(None).announce == ["[::1]:5"]
    monkeypatch.setenv(
        "TELECONSULT_RECIPIENTS", '[{"custodian": "A", "recipient": "age1qqqqqqqqqqqq", "offline": true}]'
    )
    assert load_settings(None).recipients[0].offline


def test_an_ordinary_database_url_gets_the_asynchronous_driver() -> None:
    assert Settings(database_url="postgresql://u@h/n").database_url == "postgresql+asyncpg://u@h/n"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('turn_urls = ["stun:192.0.2.1"]\nturn_secret = "0123456789abcdef"', "turn_urls"),
        ('turn_urls = ["turns:192.0.2.1:443?transport=tcp"]', "turn_secret"),
        ('turn_secret = "0123456789abcdef"', "turn_urls"),
        ('turn_urls = ["turn:192.0.2.1"]\nturn_secret = "geheim"', "turn_secret"),
    ],
)
def test_a_mistake_about_turn_is_named_and_the_secret_is_not(toml: Path, text: str, word: str) -> None:
    toml.write_text(text)
    with pytest.raises(ConfigError, match=word) as caught:
        load_settings(toml)
    assert "geheim" not in str(caught.value)


def test_the_turn_secret_is_in_no_printed_settings(toml: Path) -> None:
    toml.write_text('turn_urls = ["turn:192.0.2.1"]\nturn_secret = "geheim-geheim-geheim"')
    settings = load_settings(toml)
    assert settings.turn_secret == "geheim-geheim-geheim"
    assert "geheim" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("203.0.113.7:8443", ("203.0.113.7", 8443)),
        ("media.example.net:80", ("media.example.net", 80)),
        ("[2001:db8::7]:8443", ("2001:db8::7", 8443)),
        ("203.0.113.7", ("203.0.113.7", 0)),
        ("2001:db8::7", ("2001:db8::7", 0)),
        ("[2001:db8::7]", ("2001:db8::7", 0)),
    ],
)
def test_an_announced_place_is_an_address_alone_or_with_a_port(text: str, place: tuple[str, int]) -> None:
    assert split_place(text) == place
