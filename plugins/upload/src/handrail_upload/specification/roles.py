"""FileRole: a role of files within a data unit."""

from __future__ import annotations

from handrail.frozen import frozen
from handrail_upload.specification.sizes import two_sizes


@frozen
class FileRole:
    """A role of files within a data unit, with its requirements.

    Attributes:
        name: Letters, digits, `_` and `-`.
        required: Whether each unit must have such a file.
        extensions: Those that are allowed, in lower case and with the dot; empty for any.
        min_size: Bytes that a file has at least, or None.
        max_size: Bytes that a file has at most, or None.
        folder: Folder, directly below the source, with the files of this role and of others that
            name it. None takes a folder named like the role, and files in other places.
        suffix: End of the stem that distinguishes this role; not part of the unit's name.
    """

    name: str
    required: bool = True
    extensions: frozenset[str] = frozenset()
    min_size: int | None = None
    max_size: int | None = None
    folder: str | None = None
    suffix: str = ""

    @property
    def home(self) -> str:
        """The folder that belongs to this role."""
        return self.name if self.folder is None else self.folder

    def unit(self, name: str) -> str:
        """Return `name` without its extension, and without the suffix if it has that."""
        stem = name[: len(name) - len(self.extension(name))]
        if self.suffix and len(_last(stem)) > len(self.suffix):
            return stem.removesuffix(self.suffix)
        return stem

    def extension(self, name: str) -> str:
        """Return the longest of `extensions` at the end of `name`, or the part after its last dot.

        The rest of the name is never empty: `.bashrc` has no extension.
        """
        last = _last(name)
        for extension in sorted(self.extensions, key=len, reverse=True):
            if self._ends_with(last, extension):
                return last[-len(extension) :]
        stem, dot, tail = last.rpartition(".")
        return f".{tail}" if dot and tail and stem.strip(".") else ""

    def fit(self, name: str) -> tuple[int, int] | None:
        """Return how well `name` fits, as lengths of suffix and listed extension; None if not."""
        extension = self.extension(name)
        if self.extensions and extension.lower() not in self.extensions:
            return None
        stem = _last(name[: len(name) - len(extension)])
        if not stem.endswith(self.suffix) or stem == self.suffix:
            return None
        return len(self.suffix), len(extension) if self.extensions else 0

    def overlaps(self, other: FileRole) -> bool:
        """Whether some file would fit both equally well, were it not for their folders."""
        if self.suffix != other.suffix:
            return False
        any_extension = not self.extensions and not other.extensions
        return any_extension or bool(self.extensions & other.extensions)

    def problems(self, name: str, size: int) -> list[str]:
        """Return the problems of a file of `size` bytes, one sentence each."""
        found: list[str] = []
        extension = self.extension(name).lower()
        if self.extensions and extension not in self.extensions:
            has = f"is {extension}" if extension else "has no extension"
            found.append(f"{name} {has}, {self.name} allows {_either(self.extensions)}")
        if self.min_size is not None and size < self.min_size:
            has, wants = two_sizes(size, self.min_size)
            found.append(f"{name} has {has}, {self.name} wants at least {wants}")
        if self.max_size is not None and size > self.max_size:
            has, allows = two_sizes(size, self.max_size)
            found.append(f"{name} has {has}, {self.name} allows {allows}")
        return found

    @staticmethod
    def _ends_with(last: str, extension: str) -> bool:
        return len(last) > len(extension) and last[-len(extension) :].lower() == extension


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _either(extensions: frozenset[str]) -> str:
    *first, last = sorted(extensions)
    return f"{', '.join(first)} or {last}" if first else last
