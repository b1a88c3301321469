"""What must never be committed: an index's host, a machine's path, a lock without hashes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def committed_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_package_registrys_host() -> None:
    hosts = re.compile("|".join(["registry[.]npm" + "js", "pypi[.]or" + "g", "files[.]python" + "hosted"]))
    naming = [path for path in committed_files() if hosts.search(path.read_text(errors="ignore"))]
    assert not naming


def test_no_file_holds_a_path_of_the_machine_it_was_made_on() -> None:
    here = str(ROOT) + "/"
    assert not [path for path in committed_files() if here in path.read_text(errors="ignore")]


def test_every_locked_package_has_a_hash() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    pinned = re.findall(r"^([a-z0-9.\-]+)==", lock, flags=re.M)
    assert len(pinned) > 20
    for block in re.split(r"\n(?=[a-z])", lock.strip()):
        assert "--hash=sha256:" in block, block.splitlines()[0]


def test_the_npm_lock_records_integrity_and_no_address() -> None:
    lock = (ROOT / "web_client" / "package-lock.json").read_text()
    assert '"integrity": "sha512-' in lock
    assert '"resolved": "http' not in lock
