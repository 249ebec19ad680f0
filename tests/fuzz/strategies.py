"""Words, values and documents that people, editors and broken disks come up with."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from hypothesis import strategies as st

# Nothing may lead out of the folder of a case, or to another machine.
SAFE = st.text(st.characters(exclude_characters="/~\\\x00"), max_size=12).filter(
    lambda text: ".." not in text and not text.startswith("@")
)
HOSTILE = st.sampled_from(
    [
        *(
            "\x1b]0;owned\x07",
            "\x1b[31mred",
            "\x9b2J",
            "\u202edlrow",
            "two\nlines",
            "\r",
            "\x7f",
            "\x00",
        ),
        *(
            "",
            " ",
            "-",
            "--",
            "=",
            ".",
            ":",
            "*",
            "[",
            "{",
            '"',
            "'",
            "%s",
            "{0}",
            "None",
            "é",
            "日本",
        ),
        *(
            "\ud800",
            "\udc80",
            "1e999",
            "NaN",
            "-0",
            "0x10",
            "9" * 40,
            "true",
            "null",
            "[]",
            "{}",
            "a.b",
        ),
    ]
)
WORDS = st.sampled_from(
    [
        *("nightly", "flows.py:nightly", "flows:nightly", "flows.py", "upload", "train", "export"),
        *(
            "handrail-upload:upload",
            "find",
            "make",
            "check",
            "1",
            "2",
            "3",
            "4",
            "5",
            "99",
            "latest",
        ),
        *("handrail-upload", "handrail-utils", "acme-none", "here.txt", "flows.py", "folder", "-p"),
        *("name=x", "times=3", "times=x", "size.width=2", "size=3", "sizes.a.width=1", "tags=[1]"),
        *("tags=a", "token=secret", "handrail-upload.x=1", "--times", "--fail", "--json", "--help"),
        *("upload_files", "retry", "timing", "undo", "keep", "%.db", "sqlite:", "sqlite:///x.db"),
        *("postgresql://127.0.0.1:1/none", "nothing://here", "--debug", "-q", "--yes", "--dry-run"),
    ]
)
WORD = st.one_of(WORDS, WORDS, HOSTILE, SAFE, st.integers().map(str))

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    SAFE,
    HOSTILE,
    WORDS,
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SAFE | WORDS, inner, max_size=3),
    max_leaves=8,
)


def commands(root: click.Command, session: object) -> list[tuple[tuple[str, ...], list[str]]]:
    """Return all commands of a command line, each with its options."""
    found = []

    def look(command: click.Command, words: tuple[str, ...]) -> None:
        with click.Context(command, info_name="handrail", obj=session) as context:
            options = [name for each in command.params for name in each.opts if name[0] == "-"]
            found.append((words, options))
            if isinstance(command, click.Group):
                for name in command.list_commands(context):
                    if (inner := command.get_command(context, name)) is not None:
                        look(inner, (*words, name))

    look(root, ())
    return found


@st.composite
def command_lines(draw: st.DrawFn, known: Sequence[tuple[tuple[str, ...], list[str]]]) -> list[str]:
    """A command with words and options, most of them its own."""
    words, options = draw(st.sampled_from(known))
    line = list(words)
    own = st.sampled_from(options) if options else WORD
    for _ in range(draw(st.integers(0, 5))):
        kind = draw(st.integers(0, 3))
        if kind == 0:
            line.append(draw(WORD))
        elif kind == 1:
            line.append(draw(own))
        elif kind == 2:
            line += [draw(own), draw(WORD)]
        else:
            line.append(f"{draw(own)}={draw(WORD)}")
    if draw(st.integers(0, 9)) == 0:
        line.insert(draw(st.integers(0, len(line))), draw(WORD))
    return [_passed_on(word) for word in line]


def _passed_on(word: str) -> str:
    """Return a word as a process gets it: without NUL, with what is no UTF-8 byte by byte."""
    encoded = word.replace("\x00", "").encode(errors="surrogatepass")
    return encoded.decode(errors="surrogateescape")


def toml(document: Mapping[str, Any]) -> str:
    """Return a document as TOML; what TOML has no form for is left out."""
    return "".join(
        f"{_key(key)} = {text}\n" for key, value in document.items() if (text := _toml(value))
    )


def _key(key: str) -> str:
    return _quoted(str(key))


def _quoted(text: str) -> str:
    clean = text.encode("utf-8", "replace").decode()
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, list):
        return f"[{', '.join(filter(None, map(_toml, value)))}]"
    if isinstance(value, dict):
        inner = (f"{_key(key)} = {text}" for key, each in value.items() if (text := _toml(each)))
        return f"{{{', '.join(inner)}}}"
    return ""


@st.composite
def spoilt(draw: st.DrawFn, good: bytes) -> bytes:
    """A file of which some bytes are others, gone, doubled, or cut off."""
    content = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        if not content:
            break
        at = draw(st.integers(0, len(content) - 1))
        kind = draw(st.integers(0, 4))
        if kind == 0:
            content[at] = draw(st.integers(0, 255))
        elif kind == 1:
            del content[at : at + draw(st.integers(1, 40))]
        elif kind == 2:
            content[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif kind == 3:
            content[at:at] = content[at : at + draw(st.integers(1, 200))]
        else:
            del content[at:]
    return bytes(content)


@st.composite
def changed(draw: st.DrawFn, document: Any) -> Any:
    """A document in which some value, at any depth, is another, or is gone."""
    if isinstance(document, dict) and document and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(document)))
        kind = draw(st.integers(0, 9))
        rest = {name: value for name, value in document.items() if name != key}
        if kind == 0:
            return rest
        if kind == 1:
            return {**document, draw(SAFE | WORDS | HOSTILE): draw(VALUES)}
        if kind == 2:
            return {**rest, draw(SAFE | HOSTILE): document[key]}
        return {**document, key: draw(changed(document[key]))}
    if isinstance(document, list) and document and draw(st.integers(0, 5)):
        at = draw(st.integers(0, len(document) - 1))
        return [*document[:at], draw(changed(document[at])), *document[at + 1 :]]
    return draw(VALUES)


def times(count: int, change: Callable[[Any], st.SearchStrategy[Any]], document: Any) -> Any:
    """Change a document so many times, one change after the other."""
    strategy = st.just(document)
    for _ in range(count):
        strategy = strategy.flatmap(change)
    return strategy
