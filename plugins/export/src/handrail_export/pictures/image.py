"""Reads sizes and masks of images with Pillow."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Self

from handrail.frozen import frozen
from handrail_export.errors import InvalidPicturesError

HEAD = 1 << 16
"""Bytes that include the size of almost every picture."""

_AS_NUMBERS = ("P", "L", "1")


def picture_size(head: Callable[[int | None], bytes]) -> tuple[int, int]:
    """Return the width and height of a picture, reading as little of it as possible.

    Args:
        head: Returns the first bytes, or all.

    Raises:
        InvalidPicturesError: The content is not a picture.
    """
    start = head(HEAD)
    try:
        return _size(start)
    except InvalidPicturesError:
        if len(start) < HEAD:
            raise
    return _size(head(None))  # A preview or other data may come before the size.


def _size(content: bytes) -> tuple[int, int]:
    from PIL import Image  # noqa: PLC0415 - loaded when it is used

    if not content:
        raise InvalidPicturesError("it is empty")
    try:
        with Image.open(BytesIO(content)) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InvalidPicturesError(f"it is no picture: {_said(error)}") from error


@frozen
class MaskImage:
    """A mask: one number for each pixel.

    Attributes:
        size: Width and height.
        content: The numbers, row by row, one byte each.
    """

    size: tuple[int, int]
    content: bytes

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Return the mask in an image file.

        Raises:
            InvalidPicturesError: The content is not an image, or has colours instead of numbers.
        """
        from PIL import Image  # noqa: PLC0415 - see above

        try:
            with Image.open(BytesIO(content)) as image:
                if image.mode not in _AS_NUMBERS:
                    raise InvalidPicturesError(
                        f"the mask has colours (mode {image.mode}) instead of numbers",
                        ways_out=("store masks with a palette, or as 8 bit grey",),
                    )
                numbers = image.convert("L") if image.mode == "1" else image
                return cls(size=numbers.size, content=numbers.tobytes())
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            if isinstance(error, InvalidPicturesError):
                raise
            raise InvalidPicturesError(f"the mask cannot be read: {_said(error)}") from error

    def rows(self) -> list[bytes]:
        """Return the rows, from the top."""
        width, height = self.size
        return [self.content[row * width : (row + 1) * width] for row in range(height)]


def _said(error: BaseException) -> str:
    text = str(error)
    return "its kind is not known" if "BytesIO" in text else text
