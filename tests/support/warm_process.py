"""Imports Handrail once, and forks a child for each command that is asked for; see `warm`."""

from __future__ import annotations

import atexit
import faulthandler
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

_MOST = 1 << 20  # Bytes of an order.
_AS_MAIN: tuple[dict[str, Any], dict[str, Any]] = {}, {"alter_sys": True}
_PACKS = ("storage", "upload", "export", "train", "postgres", "utils")


def serve(path: str) -> dict[str, Any]:
    """Fork a child for each order, and tell how it ended; return the order in the child."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(64)
    print("ready", flush=True)
    asked: dict[int, tuple[int, socket.socket]] = {}
    while True:
        for each in select.select([0, listener, *asked], [], [])[0]:
            if each == 0:  # The tests are over.
                os._exit(0)
            if each is not listener:
                child, connection = asked.pop(each)
                os.close(each)
                with connection, suppress(OSError):  # Nobody may be interested any more.
                    connection.send(str(os.waitpid(child, 0)[1]).encode())
                continue
            connection, _ = listener.accept()
            text, streams, _, _ = socket.recv_fds(connection, _MOST, 3)
            child = os.fork()
            if child == 0:
                for number, stream in enumerate(streams):
                    os.dup2(stream, number)
                os.closerange(3, max((*streams, *asked, connection.fileno())) + 1)
                for each in (listener, connection, *(pair[1] for pair in asked.values())):
                    each.detach()
                order: dict[str, Any] = json.loads(text)
                return order
            for stream in streams:
                os.close(stream)
            asked[os.pidfd_open(child)] = child, connection
            connection.send(str(child).encode())


def become(order: dict[str, Any]) -> NoReturn:
    """Go on as Python does after its start with these words, in this folder and environment."""
    words, before = order["words"], os.environ.get("PYTHONPATH", "")
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    os.umask(order["umask"])
    if order["leads"]:
        os.setsid()
    encoding = os.environ.get("PYTHONIOENCODING") or "utf-8"
    at_once = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin = sys.__stdin__ = open(0, encoding=encoding, closefd=False)  # noqa: SIM115
    for name, number, errors in (("stdout", 1, "strict"), ("stderr", 2, "backslashreplace")):
        binary = open(number, "wb", closefd=False)  # noqa: SIM115
        stream = io.TextIOWrapper(
            binary,
            encoding=encoding,
            errors=errors,
            line_buffering=number == 2 or binary.isatty(),
            write_through=at_once,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    if os.environ.get("PYTHONFAULTHANDLER"):
        faulthandler.enable(2)
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    if words[:2] == ["-W", "error"]:
        sys.warnoptions = ["error"]
        warnings.simplefilter("error")
        words = words[2:]
    is_module = words[0] == "-m"
    first = os.getcwd() if is_module else os.path.dirname(os.path.abspath(words[0]))
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    others = sys.path[1 + len([each for each in before.split(os.pathsep) if each]) :]
    sys.path[:] = [first, *filter(None, given), *others]
    sys.argv = words[1:] if is_module else words
    run = runpy.run_module if is_module else runpy.run_path
    end(lambda: run(words[is_module], run_name="__main__", **_AS_MAIN[is_module]))


def end(run: Callable[[], object]) -> NoReturn:
    """Run a program and end as Python does, but without taking all modules apart."""
    code: object = 0
    try:
        run()
    except SystemExit as error:
        code = error.code
    except BaseException as error:  # noqa: BLE001 - as Python does
        traceback.print_exception(error)
        code = 1
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            code = -signal.SIGINT
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined] # It waits for those that are no daemons.
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 120
    if code == -signal.SIGINT:
        os.kill(os.getpid(), signal.SIGINT)
    os._exit((code or 0) & 0xFF)


def import_all() -> None:
    """Import what commands do, and the installed packs of ours."""
    names = ["handrail", *(f"handrail_{each}" for each in _PACKS)]
    for name in names:
        with suppress(ImportError):
            package = importlib.import_module(name)
            for each in pkgutil.walk_packages(package.__path__, f"{name}."):
                if not each.name.endswith(("__main__", "_process")):
                    with suppress(ImportError):  # It needs a library that is not installed.
                        importlib.import_module(each.name)


if __name__ == "__main__":
    import_all()
    gc.freeze()  # Each page that a collection looks at is copied for the child.
    become(serve(sys.argv[1]))
