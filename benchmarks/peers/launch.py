"""Runs a command, and prints what it took as JSON: `python -I -S launch.py COMMAND...`.

The kernel counts the memory of whoever starts a process towards the peak of that process, so a
small process has to start it. Its floor is that of a bare interpreter, about 9 MB.
"""

from __future__ import annotations

import os
import sys
import time

command = sys.argv[1:]
nowhere = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
began = time.perf_counter()
pid = os.posix_spawnp(command[0], command, os.environ, file_actions=[nowhere])
_, status, used = os.wait4(pid, 0)
clock = time.perf_counter() - began
code = os.waitstatus_to_exitcode(status)
if code:
    sys.exit(code if code > 0 else 128 - code)
cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024
print(f'{{"clock": {clock!r}, "cpu": {cpu!r}, "peak": {peak}}}')
