"""What is wrong with a file of a role, as sentences with figures."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail_upload.errors import SpecificationError
from handrail_upload.specification import Specification
from handrail_upload.specification.sizes import bytes_of, size_text, two_sizes

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
        ("image", 0, "a.jpg", ["a.jpg has 0 bytes, image wants at least 1 KB"]),
        ("image", 1, "a.jpg", ["a.jpg has 1 byte, image wants at least 1 KB"]),
        ("image", 5000, "a.tif", ["a.tif is .tif, image allows .jpg, .png or .tar.gz"]),
        ("raw", 30_000_000, "a.raw", ["a.raw has 30 MB, raw allows 20 MiB"]),
        ("raw", 1, "x/.raw", ["x/.raw has no extension, raw allows .raw"]),
        ("any", 10**15, "a", []),
        (
            "image",
            999,
            "a.gz",
            [
                "a.gz is .gz, image allows .jpg, .png or .tar.gz",
                "a.gz has 999 bytes, image wants at least 1 KB",
            ],
        ),
    ],
)
def test_sentences(
    specification: Read, role: str, size: int, name: str, problems: list[str]
) -> None:
    """Each rule that is broken is a sentence, with what is and what would be right."""
    assert specification(TEXT).problems(role, size, name) == problems


def test_unknown_role(specification: Read) -> None:
    """A role that is not there is an error with near names."""
    with pytest.raises(SpecificationError, match="there is no role 'imag'") as caught:
        specification(TEXT).problems("imag", 1, "a")
    assert caught.value.ways_out == ("did you mean image?",)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 KB"),
        (1024, "1 KiB"),
        (1_049, "1 KB"),
        (1_050, "1.1 KB"),
        (999_949, "999.9 KB"),
        (999_960, "1 MB"),
        (1024**3 * 3 // 2, "1,536 MiB"),
        (10**16, "10,000 TB"),
    ],
)
def test_size_text(size: int, text: str) -> None:
    """Sizes are shown with one decimal of the unit that people would choose."""
    assert size_text(size) == text


@given(size=st.integers(0, 10**15))
def test_sizes_are_about_right(size: int) -> None:
    """What is shown is within half a tenth of the unit, and is read as such."""
    shown = size_text(size).replace(",", "").replace("bytes", "B").replace("byte", "B")
    found = bytes_of(shown)
    assert found is not None
    assert abs(found - size) <= max(size * 0.051, 0)


@given(first=st.integers(0, 10**12), offset=st.integers(-2000, 2000).filter(bool))
def test_two_sizes_differ(first: int, offset: int) -> None:
    """Two different sizes never look the same."""
    one, other = two_sizes(first, abs(first + offset))
    assert (one == other) == (first == abs(first + offset))
