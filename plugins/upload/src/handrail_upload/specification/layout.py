"""Specification: the roles of a collection, and the role of each file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from handrail.frozen import frozen
from handrail.suggest import did_you_mean
from handrail_upload.errors import SpecificationError
from handrail_upload.specification.grammar import read_table
from handrail_upload.specification.roles import FileRole

if TYPE_CHECKING:
    from typing import Self


@frozen
class Specification:
    """The specification of a collection.

    Attributes:
        name: Name of the collection, or None.
        roles: At least one, each with a name of its own.
    """

    name: str | None = None
    roles: tuple[FileRole, ...]

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the roles that each data unit must have."""
        return tuple(role.name for role in self.roles if role.required)

    def role(self, name: str) -> FileRole:
        """Return the role called `name`.

        Raises:
            SpecificationError: There is no such role; the message lists the existing ones.
        """
        for role in self.roles:
            if role.name == name:
                return role
        names = [role.name for role in self.roles]
        raise SpecificationError(
            f"there is no role {name!r}",
            ways_out=(did_you_mean(name, names) or f"roles: {', '.join(names)}",),
        )

    def place(self, name: str) -> tuple[str, str] | None:
        """Return the role and the data unit of a file, or None if it is not part of the collection.

        A folder that belongs to roles decides: its files have one of these roles. Elsewhere, and if
        a folder belongs to several, extension and suffix decide; the longest suffix wins, then the
        longest extension. The name of the unit is the rest: the path below the folder, without
        extension and suffix.

        Args:
            name: Path below the source, with `/`.

        Raises:
            SpecificationError: It fits several roles equally well; the message suggests a
                distinction.
        """
        folder, slash, rest = name.partition("/")
        owners = [role for role in self.roles if role.home == folder] if slash and rest else []
        if len(owners) == 1:
            return owners[0].name, owners[0].unit(rest)
        below = rest if owners else name
        owners = owners or [role for role in self.roles if role.folder is None]
        role = _best(owners, below, name)
        return (role.name, role.unit(below)) if role else None

    def place_in(self, role: str, name: str) -> tuple[str, str]:
        """Return the data unit of a file that has `role` because of its source.

        Args:
            role: Name of the role.
            name: Path below the source of that role, with `/`.

        Raises:
            SpecificationError: There is no such role.
        """
        return role, self.role(role).unit(name)

    def problems(self, role: str, size: int, name: str) -> list[str]:
        """Return the problems of a file of `role`, one sentence with figures each.

        Args:
            role: Name of the role.
            size: Bytes.
            name: Path of the file, for its extension and for the sentences.

        Raises:
            SpecificationError: There is no such role.
        """
        return self.role(role).problems(name, size)

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form, with the keys of the file; defaults are left out."""
        table: dict[str, object] = {} if self.name is None else {"name": self.name}
        return {**table, "files": {role.name: _role_table(role) for role in self.roles}}

    @classmethod
    def from_dict(cls, table: Mapping[str, object], *, source: str = "the specification") -> Self:
        """Parse `table`, in the form of `to_dict` and of the file.

        Args:
            table: Keys and values of JSON types.
            source: Its source, for errors.

        Raises:
            SpecificationError: The table has mistakes; the error lists all of them.
        """
        content = read_table(table)
        if content.problems:
            raise content.error(source)
        return cls(name=content.name, roles=tuple(content.roles))


def _role_table(role: FileRole) -> dict[str, object]:
    table: dict[str, object] = {"required": role.required}
    if role.extensions:
        table["extensions"] = sorted(role.extensions)
    for key in ("min_size", "max_size", "folder"):
        if (value := getattr(role, key)) is not None:
            table[key] = value
    return {**table, "suffix": role.suffix} if role.suffix else table


def _best(roles: Sequence[FileRole], below: str, name: str) -> FileRole | None:
    fits = [(fit, role) for role in roles if (fit := role.fit(below)) is not None]
    best = max((fit for fit, _ in fits), default=None)
    found = [role for fit, role in fits if fit == best]
    if len(found) > 1:
        raise _ambiguous(name, found[0], found[1])
    return found[0] if found else None


def _ambiguous(name: str, first: FileRole, second: FileRole) -> SpecificationError:
    return SpecificationError(
        f"{name} may be {first.name} or {second.name}: nothing tells their files apart",
        ways_out=(
            f"put them into two folders, {first.home}/ and {second.home}/",
            f'or give one a suffix: [files.{second.name}] suffix = "_{second.name}"',
            "or give them different extensions",
        ),
    )
