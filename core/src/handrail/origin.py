"""Origin: the pack, version, module and source line that something came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


@frozen
class Origin:
    """The source of a step, layer, edit, setting or error.

    Attributes:
        pack: Normalised distribution name of the pack, or None for code outside distributions.
        version: Version of that distribution, or an empty string.
        module: Dotted name of the module, or an empty string.
        file: Path of the source file, shortened for display.
        line: One-based line in `file`, or 0 if unknown.
    """

    pack: str | None = None
    version: str = ""
    module: str = ""
    file: str = ""
    line: int = 0

    @property
    def owner(self) -> str:
        """The owner for display: `acme-scan 1.4.0`, a file, a module, or `this program`."""
        if self.pack is not None:
            return f"{self.pack} {self.version}".rstrip()
        return self.file or self.module or "this program"

    @property
    def place(self) -> str:
        """The source line, such as `hooks.py:18`; the file or module if the line is unknown."""
        if self.file and self.line:
            return f"{self.file}:{self.line}"
        return self.file or self.module

    @property
    def source(self) -> str:
        """Its place, after the policy that it is from, if any."""
        return f"{self.owner}, {self.place}" if self.pack else self.place

    def __str__(self) -> str:
        return self.owner


def source_of(module: str, file: str) -> str:
    """Return the path of a module in its package, `acme_scan/hooks.py`; of a script, its name."""
    name = file.replace("\\", "/").rpartition("/")[2]
    if not module or module == "__main__":
        return name
    return module.replace(".", "/") + ("/__init__.py" if name == "__init__.py" else ".py")


def line_of(frame: FrameType, pack: str | None = None, version: str = "") -> Origin:
    """Return the source line that a frame is at; a module is shown by its path in the package."""
    module = str(frame.f_globals.get("__name__", ""))
    file = source_of(module, frame.f_code.co_filename)
    return Origin(pack=pack, version=version, module=module, file=file, line=frame.f_lineno)


def raised_at(error: BaseException, is_own: Callable[[FrameType], bool]) -> Origin | None:
    """Return the last line of own code in the traceback of an error, or that of wrong syntax.

    Its file is the path.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return Origin(file=error.filename, line=error.lineno or 0)
    found: Origin | None = None
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if is_own(frame):
            module = str(frame.f_globals.get("__name__", ""))
            found = Origin(module=module, file=frame.f_code.co_filename, line=trace.tb_lineno)
        trace = trace.tb_next
    return found


UNKNOWN = Origin()
