"""DataFile and DataUnit: the stored files of an upload, and the units they are grouped into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from handrail.frozen import frozen


@frozen
class DataFile:
    """One stored file of a data unit.

    Attributes:
        role: Role of the file in its unit, such as `image_1`; `file` without a specification.
        name: Path of the source file below the source folder, with `/`; undecodable bytes as %XX.
        location: Its place: the URL of the target or the absolute path of the folder, a slash, and
            `key`.
        key: Key below the target.
        size: Bytes.
        sha256: SHA-256 of the content, in hexadecimal digits; empty where only sizes were compared.
        etag: The ETag that the store reported, or None.
        run: Id of the run that added or last changed it in the catalogue; empty before.
    """

    role: str
    name: str
    location: str
    key: str
    size: int
    sha256: str
    etag: str | None = None
    run: str = ""


@frozen
class DataUnit:
    """Files that belong together, with their metadata.

    Attributes:
        name: Identifies the unit within its collection: the stem that its files share.
        files: At least one file; one of each role.
        metadata: Values of JSON types, by name.
        run: Id of the run that added or last changed it in the catalogue; empty before.
    """

    name: str
    files: tuple[DataFile, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    run: str = ""
