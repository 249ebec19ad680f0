"""Spells out the characters of a text that could control a terminal, or fake what it shows."""

from __future__ import annotations

_HARMFUL = frozenset(
    (
        *range(0x20),  # C0: escape sequences, line ends, bells.
        *range(0x7F, 0xA0),  # DEL and C1, the same sequences in one character.
        *(0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)),  # Bidi.
        *(0x2028, 0x2029),  # Line and paragraph separators.
        *range(0xD800, 0xE000),  # A byte of a file name, which may become itself again.
    )
)


def visible(text: str) -> str:
    r"""Return `text` on one line, with each character that could control a terminal as its escape.

    Control characters, line ends, bidirectional controls and lone surrogates become `\x1b`,
    `\n` or `\u202e`, as Python writes them. Doing it twice does no harm.
    """
    # The C function is true for most texts; it is false for some harmless ones, too.
    if text.isprintable():
        return text
    return "".join(ascii(each)[1:-1] if ord(each) in _HARMFUL else each for each in text)


def visible_lines(text: str, indent: str = "") -> list[str]:
    """Return the lines of `text`, with tabs as spaces, each `visible`.

    Args:
        text: The text, such as a traceback.
        indent: What every line but an empty one begins with, so that none looks like one of ours.
    """
    lines = (visible(line.removesuffix("\r").expandtabs()) for line in text.split("\n"))
    return [f"{indent}{line}" if line else line for line in lines]
