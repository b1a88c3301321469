"""`teleconsult spare`: a process with everything imported that waits to be told which role it is.

Only the supervisor starts it, with `--edge` for a capture box. It gets one line of JSON on standard input,
{"arguments": […], "environment": {…}}, and from then on is that role's process, in `ps` too. End of input:
not needed any more.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from typing import Annotated, Final

import typer
from setproctitle import setproctitle

MODULES: Final = ("sfu.main", "signaling.main", "recorder.main", "uvloop")
EDGE_MODULES: Final = ("edge_agents.box", "edge_agents.cli", "uvloop")


def command(edge: Annotated[bool, typer.Option("--edge", help="For a capture box.")] = False) -> None:
    """Wait, with everything imported, to take over a role. Started by the supervisor only."""
    for module in EDGE_MODULES if edge else MODULES:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    setproctitle("teleconsult spare (ready)")
    line = sys.stdin.readline()
    if line:
        become(json.loads(line))


def become(orders: dict[str, object]) -> None:
    """Run the command line in `orders` in this process."""
    from teleconsult.cli import run

    arguments, environment = orders["arguments"], orders["environment"]
    assert isinstance(arguments, list)
    assert isinstance(environment, dict)
    os.environ.update(environment)
    setproctitle("teleconsult " + " ".join(arguments))
    run(arguments)
