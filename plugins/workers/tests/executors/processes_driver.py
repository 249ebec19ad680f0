"""A driver that works on one item until it is killed; given the folder for what it tells."""

from __future__ import annotations

import sys
from pathlib import Path

from handrail_testing import ContractHost
from handrail_workers import AttemptId, ChunkCall, CodeRef
from handrail_workers.executors.processes import ProcessExecutor

folder = sys.argv[1]
host = ContractHost()
host.run, host.journal = 7, folder
executor = ProcessExecutor(1, host)
here = str(Path(__file__).parent)
executor.open("", CodeRef(function="processes_items:stays", files={}, path=(here,), folder="."))
executor.submit(
    ChunkCall(attempt=AttemptId("u", "s", 1, 0, 1), first=0, items=[folder], name="job")
)
while True:
    executor.wait(60.0)
