"""Checks the data of a journal before an undo, so that it stays within the places of its run.

A journal is a file, and may be damaged or untrusted: that of a cloned project, for example. So a
note is accepted only if it names an object that the run could have created, below the places that
its params name; accepted values have types, and cannot lead anywhere else. A rejected value is
skipped, and the undo fails for it after everything else is done.
"""

from __future__ import annotations

import os
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from handrail_upload.errors import ContainmentError
from handrail_upload.names import readable

_LONGEST = 240  # Characters of a note that are shown.
_KEPT = 20  # Refusals that are kept; a journal may have a million.


class Notes:
    """The rollback data of a step, read note by note; rejected values are kept as refusals.

    Args:
        data: The rollback data in the journal.

    Attributes:
        refusals: One sentence for each rejected value, up to twenty.
    """

    def __init__(self, data: object) -> None:
        self.refusals: list[str] = []
        self._count = 0
        self._data: Mapping[str, Any] = {}
        if isinstance(data, Mapping):
            self._data = cast("Mapping[str, Any]", data)
        else:
            self.refuse("rollback_data", data, "it has no notes", to="undo")

    def values(self, note: str) -> list[Any]:
        """Return the values of a note; none if it is something else."""
        found: object = self._data.get(note, [])
        if isinstance(found, list):
            return cast("list[Any]", cast("object", found))
        self.refuse(note, found, "it is no list", to="undo")
        return []

    def texts(self, note: str) -> list[str]:
        """Return the values of a note that could be names of something, each once."""
        found = (each for each in self.values(note) if self.is_name(note, each))
        return list(dict.fromkeys(found))

    def is_name(self, note: str, value: object) -> bool:
        """Return whether a value could be the name of something; refuse it where not."""
        if isinstance(value, str) and value and "\0" not in value:
            try:
                os.fsencode(value)
            except UnicodeEncodeError:
                pass
            else:
                return True
        self.refuse(note, value, "it is no name of anything")
        return False

    def refuse(self, note: str, value: object, why: str, *, to: str = "delete") -> None:
        """Record a rejected value.

        Args:
            note: The note of the value.
            value: The value in the journal.
            why: The reason, as a sentence.
            to: The action of the undo that is refused.
        """
        self._count += 1
        if self._count <= _KEPT:
            self.refusals.append(
                f"the journal says to {to} {shown(value)} (note '{note}'), but {why}; "
                "nothing of it was touched"
            )

    def check(self) -> None:
        """Do nothing if there are no refusals.

        Raises:
            ContainmentError: There is a refusal.
        """
        if self._count:
            more = f", and {self._count - 1:,} more" if self._count > 1 else ""
            raise ContainmentError(
                f"{self.refusals[0]}{more}",
                ways_out=("look at who has written this journal; the rest of the step was undone",),
            )


def shown(value: object) -> str:
    """Return a value of a journal as people may see it: short, and without control characters."""
    text = readable(value if isinstance(value, str) and value else reprlib.repr(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}…{text[-_LONGEST // 2 :]}"


# Keys


def misfit(key: str) -> str | None:
    """Return why a text is not a key below a folder or a prefix; None if it is one."""
    parts = key.split("/")
    if ".." in parts or key.startswith("/"):
        return "it leads out of the target"
    if "" in parts or "." in parts or "\0" in key:
        return "it is no key of an object"
    return None


# Places


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A path, or a URL, that the params of a run name.

    Attributes:
        path: The absolute path, or the URL.
        tail: For a relative path in the params, the end that its absolute path has in any working
            folder; None for an absolute path.
    """

    path: str
    tail: str | None = None

    def is_named_by(self, recorded: str) -> bool:
        """Return whether a recorded path means this place, as it is or before a move."""
        return recorded == self.path or self._was(recorded)

    def _was(self, recorded: str) -> bool:
        if self.tail is None or not os.path.isabs(recorded) or os.path.lexists(recorded):
            return False
        return os.path.normpath(recorded).endswith(os.path.join(os.sep, self.tail).rstrip(os.sep))

    def above(self, recorded: Sequence[str], here: str) -> dict[str, str | None]:
        """Return the current paths of the recorded folders that the run may have created.

        These are the folder itself and those above it, but not the working folder, which existed.

        Args:
            recorded: Absolute paths, as they were recorded.
            here: The working folder.

        Returns:
            The current path of each; None if it is not such a folder.
        """
        chain = _upwards(self.path)
        then = chain
        deepest = max(recorded, key=len, default="")
        if deepest not in chain and self.is_named_by(deepest):
            then = _upwards(deepest)
        makeable = [each for each in chain if not _is_at_or_above(each, here)]
        return {each: dict(zip(then, makeable, strict=False)).get(each) for each in recorded}


def tail(given: str) -> str | None:
    """Return the end of the absolute path of `given` that is the same in any working folder."""
    if os.path.isabs(given):
        return None
    parts = os.path.normpath(given).split(os.sep)
    return os.path.join("", *(part for part in parts if part not in ("..", ".")))


def _upwards(path: str) -> list[str]:
    return [str(each) for each in (Path(path), *Path(path).parents)]


def _is_at_or_above(folder: str, here: str) -> bool:
    return os.path.join(here, "").startswith(os.path.join(os.path.normpath(folder), ""))
