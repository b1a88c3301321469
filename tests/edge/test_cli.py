"""`edge sources` and `edge run` as a person or a script uses them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

from typer.testing import CliRunner

from edge_agents.cli import app
from edge_agents.encoder import CANDIDATES
from tests.edge.whip_server import TOKEN, WhipServer

ROOT = Path(__file__).parents[2]


def test_sources_are_listed_for_scripts_ready_to_be_pasted() -> None:
    result = CliRunner().invoke(app, ["sources", "--json"])
    assert result.exit_code == 0
    listed = json.loads(result.stdout)
    assert {"testcard", "clip"} <= {item["kind"] for item in listed}
    for item in listed:
        assert tomllib.loads("source = " + item["source"])["source"]["kind"] == item["kind"]


def test_sources_are_listed_for_people() -> None:
    result = CliRunner().invoke(app, ["sources"])
    assert result.exit_code == 0
    assert "testcard" in result.stdout


def test_every_encoder_is_tried_and_the_one_in_software_works() -> None:
    result = CliRunner().invoke(app, ["encoders", "--json"])
    assert result.exit_code == 0
    tried = {one["encoder"]: one for one in json.loads(result.stdout)}
    assert list(tried) == list(CANDIDATES)
    assert tried["libx264"]["works"]
    assert tried["libx264"]["follows_rate"]
    assert 0 < tried["libx264"]["ms_per_frame"] < 2_000
    assert all(one["ms_per_frame"] is None for one in tried.values() if not one["works"])


async def test_run_publishes_until_sigterm_and_says_goodbye_without_telling_its_token(tmp_path: Path) -> None:
    async with WhipServer.open() as server:
        (tmp_path / "token").write_text(TOKEN)
        (tmp_path / "edge.toml").write_text(
            f'server = "{server.url}"\nroom = "demo"\ntoken_file = "token"\n'
            '[[feeds]]\nname = "theatre"\nsource = { kind = "testcard" }\n'
            'width = 320\nheight = 180\nencoder = "libx264"\n'
        )
        with (tmp_path / "log").open("wb") as log:
            code = "from edge_agents.cli import app; app()"
            box = subprocess.Popen(
                [sys.executable, "-c", code, "run", "--config", str(tmp_path / "edge.toml")],
                stderr=log,
                stdout=log,
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )
            try:
                received = await server.until_units(0, 5)
                box.send_signal(signal.SIGTERM)
                await server.until(lambda: received.deleted)
                assert box.wait(10) == 0
            finally:
                box.kill()
                box.wait()
    lines = (tmp_path / "log").read_text()
    assert TOKEN not in lines
    events = [json.loads(line)["event"] for line in lines.splitlines()]
    assert events[0] == "edge_starting"
    assert "published" in events
    assert events[-1] == "edge_stopped"
