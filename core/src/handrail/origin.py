"""Where a thing came from: pack, version, module, and the source line of the edit."""

from __future__ import annotations

from handrail.frozen import frozen


@frozen
class Origin:
    """The source of a step, layer, edit, setting or error.

    Attributes:
        pack: Normalised distribution name of the pack, or None for code that no distribution owns.
        version: Version of that distribution, or an empty string.
        module: Dotted module that made the contribution, or an empty string.
        file: Short path of the source file, as it should be shown to a person.
        line: One-based line in `file`, or 0 when unknown.
    """

    pack: str | None = None
    version: str = ""
    module: str = ""
    file: str = ""
    line: int = 0

    @property
    def owner(self) -> str:
        """Who made it, in one phrase: `acme-scan 1.4.0`, a module, a file, or `this program`."""
        if self.pack is not None:
            return f"{self.pack} {self.version}".rstrip()
        return self.file or self.module or "this program"

    @property
    def place(self) -> str:
        """The source line, as `hooks.py:18`, or an empty string when it is unknown."""
        if self.file and self.line:
            return f"{self.file}:{self.line}"
        return self.file or self.module

    def __str__(self) -> str:
        return self.owner

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form: `pack`, `version`, `module`, `file` and `line`."""
        return {
            "pack": self.pack,
            "version": self.version,
            "module": self.module,
            "file": self.file,
            "line": self.line,
        }


UNKNOWN = Origin()
