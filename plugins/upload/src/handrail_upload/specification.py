"""Specification: the roles of the files of a collection, and the file that describes them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Self, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from handrail.suggest import did_you_mean
from handrail_storage import Size, size_text
from handrail_upload.errors import SpecificationError
from handrail_upload.metadata.formats import unique

_EXTENSION = re.compile(r"(\.[^\s./\\*?]+)+")
_EXAMPLE = '[files.image] with extensions = [".jpg"]'
# What pydantic says in words of Python, by the type of the error.
_SAID = {
    "bool_type": "has to be true or false",
    "dict_type": "has to be a table",
    "missing": "there are no roles",
    "model_type": "has to be a table",
    "string_type": "has to be text",
    "too_short": "there are no roles",
    "tuple_type": 'has to be a list, such as [".jpg", ".png"]',
}


def _extension(text: str) -> str:
    extension = f".{text.lower().removeprefix('.')}"
    if not _EXTENSION.fullmatch(extension):
        raise ValueError(f'{text!r} is no extension, such as ".jpg"')
    return extension


def _folder(name: str) -> str:
    if not name.strip() or name in (".", "..") or "/" in name:
        raise ValueError(f'{name!r} is not one folder, such as "images"')
    return name


Extension = Annotated[str, AfterValidator(_extension)]


class FileRole(BaseModel):
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

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*$")
    required: StrictBool = True
    extensions: tuple[Extension, ...] = ()
    min_size: Size | None = None
    max_size: Size | None = None
    folder: Annotated[str, AfterValidator(_folder)] | None = None
    suffix: str = Field(default="", pattern="^[^/]*$")

    @field_validator("extensions")
    @classmethod
    def _sorted(cls, extensions: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(set(extensions)))

    @field_validator("max_size")
    @classmethod
    def _some_fit(cls, most: int | None, read: ValidationInfo) -> int | None:
        least = read.data.get("min_size")
        if least is not None and most is not None and least > most:
            raise ValueError("is less than min_size, so that no file fits")
        return most

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
            if len(last) > len(extension) and last.lower().endswith(extension):
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
        return any_extension or not set(self.extensions).isdisjoint(other.extensions)

    def problems(self, name: str, size: int) -> list[str]:
        """Return the problems of a file of `size` bytes, one sentence each."""
        found: list[str] = []
        extension = self.extension(name).lower()
        if self.extensions and extension not in self.extensions:
            has = f"is {extension}" if extension else "has no extension"
            found.append(f"{name} {has}, {self.name} allows {' or '.join(self.extensions)}")
        if self.min_size is not None and size < self.min_size:
            has, wants = _two_sizes(size, self.min_size)
            found.append(f"{name} has {has}, {self.name} wants at least {wants}")
        if self.max_size is not None and size > self.max_size:
            has, allows = _two_sizes(size, self.max_size)
            found.append(f"{name} has {has}, {self.name} allows {allows}")
        return found


class Specification(BaseModel):
    """The specification of a collection.

    Attributes:
        name: Name of the collection, or None.
        files: At least one role, each under its name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: Annotated[str, Field(pattern=r"\S")] | None = None
    files: dict[str, FileRole] = Field(min_length=1)

    @field_validator("files", mode="before")
    @classmethod
    def _named(cls, files: Any) -> Any:
        if not isinstance(files, Mapping):
            return files
        named = dict(cast("Mapping[str, Any]", files))
        for name, role in named.items():
            if isinstance(role, Mapping):
                named[name] = {"name": name, **role}
        return named

    @field_validator("files")
    @classmethod
    def _under_its_name(cls, files: dict[str, FileRole]) -> dict[str, FileRole]:
        for name, role in files.items():
            if role.name != name:
                raise ValueError(f"the role {name} has another name, {role.name}; leave that out")
        return files

    @model_validator(mode="after")
    def _apart(self) -> Self:
        alike = [
            f"files.{first.name} and files.{second.name} share the folder {first.home!r}"
            for first, second in combinations(self.roles, 2)
            if first.home == second.home and first.overlaps(second)
        ]
        if alike:
            raise ValueError(
                f"{', '.join(alike)}, and nothing tells their files apart: give each a folder, a "
                "suffix or extensions of its own"
            )
        return self

    @property
    def roles(self) -> tuple[FileRole, ...]:
        """The roles, in the order of the file."""
        return tuple(self.files.values())

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the roles that each data unit must have."""
        return tuple(role.name for role in self.roles if role.required)

    def role(self, name: str) -> FileRole:
        """Return the role called `name`.

        Raises:
            SpecificationError: There is no such role; the message lists the existing ones.
        """
        if name not in self.files:
            known = f"roles: {', '.join(self.files)}"
            raise SpecificationError(
                f"there is no role {name!r}", ways_out=(did_you_mean(name, self.files) or known,)
            )
        return self.files[name]

    def place(self, name: str, source: str = "") -> tuple[str, str] | None:
        """Return the role and the data unit of a file, or None if it is not part of the collection.

        A folder that belongs to roles decides: its files have one of these roles. Elsewhere, and if
        a folder belongs to several, extension and suffix decide; the longest suffix wins, then the
        longest extension. The name of the unit is the rest: the path below the folder, without
        extension and suffix.

        Args:
            name: Path below the source, with `/`.
            source: The role that all files of its source have; empty if they have several.

        Raises:
            SpecificationError: There is no such role, or it fits several roles equally well; the
                message suggests a distinction.
        """
        if source:
            return source, self.role(source).unit(name)
        folder, slash, rest = name.partition("/")
        owners = [role for role in self.roles if role.home == folder] if slash and rest else []
        if len(owners) == 1:
            return owners[0].name, owners[0].unit(rest)
        below = rest if owners else name
        owners = owners or [role for role in self.roles if role.folder is None]
        role = _best(owners, below, name)
        return (role.name, role.unit(below)) if role else None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, with the keys of the file; defaults are left out."""
        table = self.model_dump(mode="json", exclude_defaults=True)
        for role in self.roles:
            table["files"][role.name]["required"] = role.required
            del table["files"][role.name]["name"]
        return table

    @classmethod
    def from_dict(cls, table: object, *, source: str = "the specification") -> Self:
        """Parse `table`, in the form of `to_dict` and of the file.

        Args:
            table: Keys and values of JSON types.
            source: Its source, for errors.

        Raises:
            SpecificationError: The table has mistakes; the error lists all of them.
        """
        try:
            return cls.model_validate(table)
        except ValidationError as error:
            told = [_told(each["loc"], each["type"], each["msg"]) for each in error.errors()]
            if len(told) == 1:
                raise SpecificationError(
                    f"{source}: {told[0]}", ways_out=(f"such as {_EXAMPLE}",)
                ) from None
            raise SpecificationError(f"{source} has {len(told)} problems", ways_out=told) from None


def read_specification(path: Path) -> Specification:
    """Parse the TOML or JSON file at `path`.

    ```toml
    name = "photos"                  # optional
    [files.image_1]                  # a role
    required = true                  # the default
    extensions = [".jpg", ".png"]    # default: any; the case does not matter
    max_size = "20 MB"               # default: none; also min_size; bytes, or text with a unit
    folder = "images"                # default: one called like the role, if files lie in such
    suffix = "_left"                 # default: none; distinguishes files of this role from others
    ```

    Raises:
        SpecificationError: The file cannot be read or is malformed; with line or key.
    """
    parsers: dict[str, Callable[[str], object]] = {".toml": tomllib.loads, ".json": _json}
    parse = parsers.get(path.suffix.lower())
    if parse is None:
        raise SpecificationError(
            f"{path}: a specification is .toml or .json, not {path.suffix or 'without extension'}",
            ways_out=("name it after its format, such as collection.toml",),
        )
    try:
        table = parse(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise SpecificationError(f"{path}: cannot be read: {error.strerror or error}") from error
    except RecursionError as error:
        raise SpecificationError(f"{path}: is nested too deeply") from error
    except ValueError as error:  # Of the parsers with the line; or the text is not UTF-8.
        raise SpecificationError(f"{path}: {error}") from error
    return Specification.from_dict(table, source=str(path))


def _json(text: str) -> object:
    return json.loads(text, object_pairs_hook=unique)


def _told(loc: Sequence[int | str], kind: str, message: str) -> str:
    path = ".".join(map(str, loc))
    if kind == "extra_forbidden":
        # The name of a role is its key in the file.
        known = [*FileRole.model_fields][1:] if len(loc) > 1 else [*Specification.model_fields]
        hint = did_you_mean(str(loc[-1]), known) or f"known here: {', '.join(known)}"
        return f"there is no key {path}; {hint}"
    said = _SAID.get(kind) or message.removeprefix("Value error, ")
    return f"{path}: {said}" if path else said


def _best(roles: Sequence[FileRole], below: str, name: str) -> FileRole | None:
    fits = [(fit, role) for role in roles if (fit := role.fit(below)) is not None]
    best = max((fit for fit, _ in fits), default=None)
    found = [role for fit, role in fits if fit == best]
    if len(found) > 1:
        first, second, *_ = found
        raise SpecificationError(
            f"{name} may be {first.name} or {second.name}: nothing tells their files apart",
            ways_out=(
                f"put them into two folders, {first.home}/ and {second.home}/",
                f'or give one a suffix: [files.{second.name}] suffix = "_{second.name}"',
                "or give them different extensions",
            ),
        )
    return found[0] if found else None


def _two_sizes(first: int, second: int) -> tuple[str, str]:
    """Return both as text, to the byte if they would look the same otherwise."""
    texts = size_text(first), size_text(second)
    if texts[0] == texts[1]:
        return f"{first:,} bytes", f"{second:,} bytes"
    return texts


def _last(name: str) -> str:
    return name.rpartition("/")[2]
