"""What is wrong with a file of a role, as sentences with figures."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from handrail_upload.errors import SpecificationError
from handrail_upload.specification import Specification

Read = Callable[..., Specification]

TEXT = """
[files.image]
extensions = [".jpg", ".png", ".tar.gz"]
min_size = "1 KB"
max_size = "20 MB"
[files.raw]
extensions = [".raw"]
max_size = "20 MiB"
[files.any]
"""


@pytest.mark.parametrize(
    ("role", "size", "name", "problems"),
    [
        ("image", 1000, "a.jpg", []),
        ("image", 20_000_000, "x/a.PNG", []),
        ("image", 5000, "a.tar.gz", []),
        ("image", 25_123_456, "a.jpg", ["a.jpg has 25.1 MB, image allows 20 MB"]),
        (
            "image",
            20_000_001,
            "a.jpg",
            ["a.jpg has 20,000,001 bytes, image allows 20,000,000 bytes"],
        ),
        ("image", 0, "a.jpg", ["a.jpg has 0 B, image wants at least 1 kB"]),
        ("image", 1, "a.jpg", ["a.jpg has 1 B, image wants at least 1 kB"]),
        ("image", 5000, "a.tif", ["a.tif is .tif, image allows .jpg or .png or .tar.gz"]),
        ("raw", 30_000_000, "a.raw", ["a.raw has 30 MB, raw allows 21 MB"]),
        ("raw", 1, "x/.raw", ["x/.raw has no extension, raw allows .raw"]),
        ("any", 10**15, "a", []),
        (
            "image",
            999,
            "a.gz",
            [
                "a.gz is .gz, image allows .jpg or .png or .tar.gz",
                "a.gz has 999 B, image wants at least 1 kB",
            ],
        ),
    ],
)
def test_sentences(
    specification: Read, role: str, size: int, name: str, problems: list[str]
) -> None:
    """Each rule that is broken is a sentence, with what is and what would be right."""
    assert specification(TEXT).role(role).problems(name, size) == problems


def test_unknown_role(specification: Read) -> None:
    """A role that is not there is an error with near names."""
    with pytest.raises(SpecificationError, match="there is no role 'imag'") as caught:
        specification(TEXT).role("imag")
    assert caught.value.ways_out == ("did you mean image?",)
