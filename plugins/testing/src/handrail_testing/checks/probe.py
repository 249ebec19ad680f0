"""Imports modules of a pack in a separate process, and reports the effects.

It is run as a file: a request comes as JSON on standard input, the answer goes as JSON into the
file that the request names. Nothing of Handrail is imported here before the pack imports it.
"""

from __future__ import annotations

import json
import os
import sys
from types import FrameType
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
EFFECTS = {
    "_thread.start_joinable_thread": "starts a thread",
    "_thread.start_new_thread": "starts a thread",
    "handrail.thread": "starts a thread",
    "os.chdir": "changes the working folder",
    "os.chmod": "changes a file",
    "os.chown": "changes a file",
    "os.exec": "starts a program",
    "os.fork": "starts a process",
    "os.link": "makes a link",
    "os.mkdir": "makes a folder",
    "os.posix_spawn": "starts a program",
    "os.putenv": "sets a variable of the environment",
    "os.remove": "removes a file",
    "os.rename": "renames a file",
    "os.rmdir": "removes a folder",
    "os.symlink": "makes a link",
    "os.system": "starts a program",
    "os.truncate": "changes a file",
    "os.unsetenv": "takes a variable out of the environment",
    "socket.bind": "opens a port",
    "socket.connect": "opens a connection",
    "socket.getaddrinfo": "asks for the address of a host",
    "socket.gethostbyname": "asks for the address of a host",
    "socket.sendto": "sends to another host",
    "sqlite3.connect": "opens a database",
    "subprocess.Popen": "starts a program",
}


def effect_of(event: str, arguments: tuple[Any, ...]) -> str | None:
    """Return the effect of an audit event on the world, in a few words, or None."""
    if arguments and "__pycache__" in str(arguments[0]):
        return None  # Python's own cache of an import.
    if event == "open":
        path, mode, flags = arguments
        if isinstance(path, int) or path == os.devnull:
            return None
        writes = any(letter in "wax+" for letter in mode or "") or bool((flags or 0) & WRITES)
        return f"opens {os.fsdecode(path)} for writing" if writes else None
    what = EFFECTS.get(event)
    if what is None:
        return None
    first = arguments[0] if arguments else None
    shown = os.fsdecode(first) if isinstance(first, str | bytes) else ""
    return f"{what}: {shown}" if shown else what


def current_frame(depth: int) -> FrameType:
    """Return the frame that many calls above the caller's."""
    return sys._getframe(depth + 1)  # pyright: ignore[reportPrivateUsage]


class Watch:
    """Records the audit events while modules are imported."""

    def __init__(self, packages: list[str]) -> None:
        self.packages = tuple(packages)
        self.door = ""
        self.effects: list[dict[str, str]] = []
        self.imports: list[dict[str, str]] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take one audit event."""
        if not self.door:
            return
        if event == "import":
            self._imported(str(arguments[0]))
            return
        what = effect_of(event, arguments)
        if what is not None:
            place = _place(self._nearest(current_frame(1)))
            self.effects.append({"what": what, "place": place, "door": self.door})

    def _imported(self, module: str) -> None:
        top = module.partition(".")[0]
        frame = _importer(current_frame(2))
        if top in sys.stdlib_module_names or frame is None or not self._owns(frame):
            return
        self.imports.append({"module": module, "place": _place(frame), "door": self.door})

    def _owns(self, frame: FrameType) -> bool:
        name = str(frame.f_globals.get("__name__", ""))
        return any(name == each or name.startswith(f"{each}.") for each in self.packages)

    def _nearest(self, frame: FrameType | None) -> FrameType | None:
        while frame is not None and not self._owns(frame):
            frame = frame.f_back
        return frame


def _importer(frame: FrameType | None) -> FrameType | None:
    """Return the first frame that is not the import system itself."""
    while frame is not None and (
        frame.f_code.co_filename.startswith("<frozen importlib")
        or frame.f_globals.get("__name__") == "importlib"
    ):
        frame = frame.f_back
    return frame


def _place(frame: FrameType | None) -> str:
    if frame is None:
        return ""
    name = str(frame.f_globals.get("__name__", ""))
    file = name.replace(".", "/") + ("/__init__.py" if "__path__" in frame.f_globals else ".py")
    return f"{file}:{frame.f_lineno}"


def _globals() -> dict[str, str]:
    """Return process-wide settings that an import should not change."""
    import logging  # noqa: PLC0415 - loaded before the watch begins
    import signal  # noqa: PLC0415

    return {
        "the handlers of the root logger": repr(logging.root.handlers),
        "the level of the root logger": repr(logging.root.level),
        "sys.excepthook": repr(sys.excepthook),
        **{f"the handler of {each.name}": repr(signal.getsignal(each)) for each in signal.Signals},
    }


def _audit_threads() -> None:
    """Make each start of a thread an audit event, as in later versions of Python."""
    import threading  # noqa: PLC0415 - loaded before the watch begins

    start = threading.Thread.start

    def start_with_event(self: threading.Thread) -> None:
        sys.audit("handrail.thread")
        start(self)

    threading.Thread.start = start_with_event  # type: ignore[method-assign]


def main() -> None:
    """Read the request, import, and write the answer."""
    request = json.load(sys.stdin)
    sys.path[:] = request["path"]
    before = _globals()
    _audit_threads()
    watch = Watch(request["packages"])
    sys.addaudithook(watch)
    failures: list[dict[str, str]] = []
    for door, modules in request["doors"].items():
        for module in modules:
            watch.door = door
            try:
                __import__(module)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - part of the answer
                failures.append({"module": module, "error": f"{type(error).__name__}: {error}"})
            finally:
                watch.door = ""
    after = _globals()
    watch.imports = [each for each in watch.imports if each["module"] in sys.modules]
    answer = {
        "imports": watch.imports,
        "effects": [
            *watch.effects,
            *(
                {"what": f"changes {name}", "place": "", "door": ""}
                for name in before
                if before[name] != after[name]
            ),
        ],
        "failures": failures,
    }
    with open(request["answer"], "w", encoding="utf-8") as file:
        json.dump(answer, file)


if __name__ == "__main__":
    main()
