"""Forks commands from a process that has imported Handrail: a plugin of pytest.

Most of the time of a short command is spent importing, with the same result each time. So where a
test starts `python -m handrail`, it gets a child of a process that has done that: a process of its
own, with its own streams, signals, working folder and environment, which ends as Python does. Tests
of the start itself, and those marked with `cold`, start Python; so do all of them where
`HANDRAIL_COLD` is set, as in `nox -s faults`.
"""

from __future__ import annotations

import json
import os
import select
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import reaping

# For shells: a process that only waits for the one that was forked. As the path of Python may have
# a space in it, the first line names sh, which takes the second one for a command; Python takes it
# and the third for a text.
_SCRIPT = """#!/bin/sh
'''exec' {python} -IS "$0" "$@"
' '''
import _socket, array, json, os, sys
umask = os.umask(0o077)
words = [{script!r}, *sys.argv[1:]]
order = {{"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}}
connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
connection.connect({path!r})
told = json.dumps({{**order, "umask": umask, "leads": False}}).encode()
streams = array.array("i", [0, 1, 2])
connection.sendmsg([told], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
connection.recv(64)
code = os.waitstatus_to_exitcode(int(connection.recv(64)))
if code < 0:
    os.kill(os.getpid(), -code)
sys.exit(code)
"""

# A child takes these from its own environment; of others like these it needs those of the tests.
_TAKEN = (
    *("PYTHONDONTWRITEBYTECODE", "PYTHONFAULTHANDLER", "PYTHONIOENCODING", "PYTHONPATH"),
    "PYTHONUNBUFFERED",
)
_FIXED = ("PYTHON", "LC_", "LANG", "LD_", "TZ", "MALLOC_", "OPENSSL_", "SSL_")


class Warm:
    """That process, once a command is started."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="handrail-warm-")
        self._path = f"{self._folder.name}/socket"
        with reaping.spared():
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("warm_process.py")), self._path],
                env=_BEGAN_WITH,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def scripts(self, real: Path) -> Path:
        """Return a folder for PATH, before `real`, in which `handrail` is forked."""
        folder = Path(self._folder.name, "scripts")
        folder.mkdir(exist_ok=True)
        script = folder / "handrail"
        python = shlex.quote(sys.executable)
        text = _SCRIPT.format(python=python, script=f"{real}/handrail", path=self._path)
        script.write_text(text)
        script.chmod(0o755)
        return folder

    def order(self, streams: Sequence[int], **order: Any) -> tuple[int, socket.socket]:
        """Start a command; return its process id, and what will tell how it has ended."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.connect(self._path)
        socket.send_fds(connection, [json.dumps(order).encode()], streams)
        return int(connection.recv(64)), connection

    def leave(self) -> None:
        """End it."""
        self._process.communicate()
        self._folder.cleanup()


# As the tests begin, before one of them changes it.
_BEGAN_WITH = {name: each for name, each in os.environ.items() if name[:9] != "HANDRAIL_"}
_is_on = hasattr(os, "pidfd_open") and "HANDRAIL_COLD" not in os.environ
_warm: Warm | None = None
_execute, _poll, _wait = (
    getattr(subprocess.Popen, each) for each in ("_execute_child", "_internal_poll", "_try_wait")
)


def _started() -> Warm:
    global _warm  # noqa: PLW0603 - there is one, from its first use on
    _warm = _warm or Warm()
    return _warm


def scripts(real: Path) -> list[Path]:
    """Return the folders for PATH in which a shell finds `handrail`, with the real one last."""
    return [_started().scripts(real), real] if _is_on else [real]


def _begins_alike(environment: Mapping[str, str]) -> bool:
    """Return whether Python begins in this environment as that process has."""
    names = {*environment, *_BEGAN_WITH} - {*_TAKEN}
    fixed = (name for name in names if name.startswith(_FIXED))
    return all(environment.get(name) == _BEGAN_WITH.get(name) for name in fixed)


def _is_command(words: Any) -> bool:
    """Return whether words start Handrail."""
    if not isinstance(words, list) or words[0] != sys.executable:
        return False
    rest = words[3:] if words[1:3] == ["-W", "error"] else words[1:]
    return rest[:2] == ["-m", "handrail"]


def _execute_child(
    self: Any,
    args: Any,
    executable: Any,
    preexec_fn: Any,
    close_fds: Any,
    pass_fds: Any,
    cwd: Any,
    env: Any,
    *others: Any,
) -> None:
    ends, (_, *changed) = others[3:9], others[9:]
    environment = dict(os.environ if env is None else env)
    plain = preexec_fn is None and not pass_fds and changed[:4] == [None, None, None, -1]
    if not (_is_on and plain and _is_command(args) and _begins_alike(environment)):
        given = (args, executable, preexec_fn, close_fds, pass_fds, cwd, env)
        _execute(self, *given, *others)
        return
    taken = (number if end == -1 else end for number, end in enumerate((ends[0], *ends[3::2])))
    self.pid, self._warm = _started().order(
        list(taken),
        words=[os.fspath(each) for each in args[1:]],
        folder=os.fspath(cwd or os.getcwd()),
        environment=environment,
        umask=_umask(),
        leads=bool(changed[4]),
    )
    self._child_created = True
    self._close_pipe_fds(*ends)


def _umask() -> int:
    found = os.umask(0o077)
    os.umask(found)
    return found


def _try_wait(self: Any, flags: int) -> tuple[int, int]:
    connection = getattr(self, "_warm", None)
    if connection is None:
        found: tuple[int, int] = _wait(self, flags)
        return found
    if flags & os.WNOHANG and not select.select([connection], [], [], 0)[0]:
        return 0, 0
    with connection:
        return self.pid, int(connection.recv(64))


def _internal_poll(self: Any, *given: Any, poll: Any = _poll, **named: Any) -> Any:
    if getattr(self, "_warm", None) is None:  # So it is at the very end, where nothing is left.
        return poll(self, *given, **named)
    if self.returncode is None and self._waitpid_lock.acquire(False):
        try:
            pid, status = _try_wait(self, os.WNOHANG)
            if pid:
                self._handle_exitstatus(status)
        finally:
            self._waitpid_lock.release()
    return self.returncode


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Let a test that is marked with `cold` start Python."""
    global _is_on  # noqa: PLW0603 - it is the state of this process
    was_on = _is_on
    _is_on = was_on and item.get_closest_marker("cold") is None
    try:
        return (yield)
    finally:
        _is_on = was_on


def pytest_unconfigure() -> None:
    """End that process."""
    global _warm  # noqa: PLW0603 - the same
    if _warm is not None:
        _warm.leave()
        _warm = None


for _name, _mine in (
    ("_execute_child", _execute_child),
    ("_internal_poll", _internal_poll),
    ("_try_wait", _try_wait),
):
    setattr(subprocess.Popen, _name, _mine)
