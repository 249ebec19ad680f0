"""What executors promise is in the kit for tests: without it, only workers are tested."""

from __future__ import annotations

from importlib.util import find_spec

NEED_THE_KIT = ["test_opening.py", "test_processes.py"]

collect_ignore = [] if find_spec("handrail_testing") else NEED_THE_KIT
