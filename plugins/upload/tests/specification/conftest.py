"""What the tests of specifications share: read one from text, and see one refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from handrail_upload.errors import SpecificationError
from handrail_upload.specification import Specification, read_specification


@pytest.fixture
def specification(tmp_path: Path) -> Callable[..., Specification]:
    """Read a specification that is written down."""

    def _specification(text: str, name: str = "collection.toml") -> Specification:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return read_specification(tmp_path / name)

    return _specification


@pytest.fixture
def refused(tmp_path: Path, specification: Callable[..., Specification]) -> Callable[..., str]:
    """Return why a specification is refused: the message without the folder, and the ways out."""

    def _refused(text: str, name: str = "collection.toml") -> str:
        with pytest.raises(SpecificationError) as caught:
            specification(text, name)
        lines = "\n".join((caught.value.message, *caught.value.ways_out))
        return lines.replace(f"{tmp_path}/", "")

    return _refused
