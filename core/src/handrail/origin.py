"""Origin: the pack, version, module and source line that something came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail.frozen import frozen

if TYPE_CHECKING:
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

    def __str__(self) -> str:
        return self.owner


def line_of(frame: FrameType, pack: str | None = None, version: str = "") -> Origin:
    """Return the source line that a frame is at; a module is shown by its path in the package."""
    module = str(frame.f_globals.get("__name__", ""))
    if module and module != "__main__":
        package = bool(frame.f_globals.get("__path__"))
        file = module.replace(".", "/") + ("/__init__.py" if package else ".py")
    else:
        file = frame.f_code.co_filename.replace("\\", "/").rpartition("/")[2]
    return Origin(pack=pack, version=version, module=module, file=file, line=frame.f_lineno)


UNKNOWN = Origin()
