"""What the tests of metadata share: write a sheet, read it, and see it refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handrail_upload.errors import MetadataError
from handrail_upload.metadata import Row, SheetMetadata


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Write a file of that name and content; return its path."""

    def _write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


@pytest.fixture
def read() -> Callable[..., list[Row]]:
    """Read a sheet whole."""
    return lambda path, **options: list(SheetMetadata(**options).rows(path))


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., str]:
    """Return why a sheet is refused: the message without the folder, and the ways out."""

    def _refused(path: Path, **options: Any) -> str:
        with pytest.raises(MetadataError) as caught:
            list(SheetMetadata(**options).rows(path))
        lines = "\n".join((caught.value.message, *caught.value.ways_out))
        return lines.replace(f"{tmp_path}/", "")

    return _refused
