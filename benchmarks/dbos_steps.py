"""The same work in DBOS; `durable.py --peer` runs this in an environment of its own.

    python dbos_steps.py run STEPS FILE      for each line of standard input, run a workflow
    python dbos_steps.py die STEPS FILE      run one, and die in its last step
    python dbos_steps.py resume STEPS FILE   go on with that one

Each prints the seconds that it took: of all steps; or from before the launch to the last step.
"""

from __future__ import annotations

import os
import sys
import threading
import time

from dbos import DBOS, DBOSConfig

what, steps, file = sys.argv[1], int(sys.argv[2]), sys.argv[3]
config: DBOSConfig = {
    "name": "handrail-benchmark",
    "system_database_url": f"sqlite:///{file}",
    "application_version": "1",  # Whatever this file has become in the meantime.
    "console_log_level": "ERROR",
    "log_level": "ERROR",
}
DBOS(config=config)
began = 0.0
reached = threading.Event()


@DBOS.step()
def nothing() -> None:
    """Do nothing, so that all of the time is theirs."""


@DBOS.step()
def last() -> None:
    """Be killed, or tell when this is reached."""
    if what == "die":
        os._exit(0)
    print(time.perf_counter() - began, flush=True)
    reached.set()


@DBOS.workflow()
def workflow(count: int) -> None:
    """Run that many steps."""
    for _ in range(count):
        nothing()


@DBOS.workflow()
def interrupted(count: int) -> None:
    """Run that many steps, and one more."""
    for _ in range(count):
        nothing()
    last()


began = time.perf_counter()
DBOS.launch()
if what == "run":
    workflow(50)  # What is made at the first use.
    for _ in sys.stdin:
        began = time.perf_counter()
        workflow(steps)
        print(time.perf_counter() - began, flush=True)
elif what == "die":
    interrupted(steps)
else:
    reached.wait(600)
os._exit(0)
