"""Takes out of texts what must not be shown: secrets, and what could control a terminal."""

from __future__ import annotations

import json
import re
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar, cast
from urllib.parse import quote, quote_plus

__all__ = [
    "HIDDEN",
    "KNOWN",
    "Mask",
    "has_password",
    "json_has_password",
    "mask_values",
    "shown",
    "shown_text",
    "shown_url",
    "without_passwords",
]

T = TypeVar("T")

HIDDEN = "**********"
"""The placeholder for a secret."""

# A password that is not encoded may have any character, so it ends at the last @ of the word. What
# is only digits before a slash is a port, and what begins with a bracket an address.
_PASSWORD = r"(://[^\s/?#@:\[]*:)(?!\d*(?:[/?#]|$|\s))(\S+)@"
_ANY_PASSWORD = r"(://[^:/@]*:).*@"
_OPTION = (
    r"(?i)([?&#;][\w.-]*(?:password|passwd|pwd|passphrase|secret|token|\bsig|signature|credential"
    r"|api[-_]?key|access[-_]?key|secret[-_]?key)=)([^&#\s]+?)(?=[\"')\]}>,]*(?:[&#\s]|$))"
)
_SECRET = r"(?i)password|passwd|secret|token|credential|api[-_]?key"
# Other than `tokenizer`, `token_count` or `password_file`, which are about secrets at most.
_SECRET_NAME = (
    r"(?i)(?:password|passwd|pwd|passphrase|secrets?|token|credentials?"
    r"|(?:api|access|private|secret)[-_]?key)$"
)
_SHORT = 4  # Shorter secrets are found as whole words only: they would hide half of a text.


def without_passwords(text: str) -> str:
    """Return `text` with the passwords of each URL in it hidden: `postgresql://ada:***@host`."""
    if "://" not in text:
        return text
    if "@" in text:
        text = _sub(_PASSWORD, rf"\1{HIDDEN}@", text)
    return _sub(_OPTION, rf"\1{HIDDEN}", text) if "=" in text else text


def shown_url(url: str) -> str:
    """Return a URL, or any text, without passwords."""
    # An unencoded password may contain any character; options may contain passwords too.
    return _sub(_OPTION, rf"\1{HIDDEN}", _sub(_ANY_PASSWORD, rf"\1{HIDDEN}@", url))


def _sub(pattern: str, shown: str, text: str) -> str:
    return re.sub(pattern, shown, text)


def has_password(text: str) -> bool:
    """Return whether `text` contains a URL with a password that is not hidden."""
    return "://" in text and without_passwords(text) != text


def json_has_password(text: str) -> bool:
    """Return whether one of the texts in a JSON text has a URL with a password in it."""
    if not has_password(text):
        return False
    # A match may span several texts and the punctuation between them.
    values: object = json.loads(text)
    return mask_values(values, without_passwords) is not values


class Mask:
    """Takes known secrets, in every form in which a text may have them, out of texts.

    A secret is found verbatim and each line of it alone, as it is written in JSON, by `repr`, in a
    URL and in base64. Passwords in URLs are found without being known.

    Args:
        secrets: The secrets.
        beneath: Another mask, to use after this one.
        context: An object, such as the context of a run, whose attributes may become secrets.
        most: How many secrets it remembers; later ones take the place of the earliest.
    """

    def __init__(
        self,
        secrets: Iterable[str] = (),
        *,
        beneath: Mask | None = None,
        context: object = None,
        most: int | None = None,
    ) -> None:
        self._most = most
        self._known: dict[str, None] = {}
        self._forms: list[str] = []
        self._words: re.Pattern[str] | None = None
        self._beneath = beneath
        self._context = context
        self.learn(secrets)

    def __call__(self, text: str) -> str:
        """Return `text` without the secrets."""
        if self._context is not None:
            # A copy: a step may set an attribute meanwhile, in its own thread.
            found = tuple(_typed_secrets(list(vars(self._context).values())))
            self.learn(found)
            KNOWN.learn(found)
        for form in self._forms:
            if form in text:
                text = text.replace(form, HIDDEN)
        if self._words is not None:
            text = self._words.sub(HIDDEN, text)
        return without_passwords(text) if self._beneath is None else self._beneath(text)

    def learn(self, secrets: Iterable[str]) -> None:
        """Take more secrets."""
        new = [each for each in secrets if each.strip()]
        if all(each in self._known for each in new):
            return
        known = self._known | dict.fromkeys(new)
        if self._most is not None:
            for each in list(known)[: -max(self._most, len(new))]:
                del known[each]
        forms = {form for each in known for form in _forms(each)}
        # The longest first: one may be part of another.
        self._forms = sorted((each for each in forms if len(each) >= _SHORT), key=len, reverse=True)
        words = "|".join(re.escape(each) for each in forms if len(each) < _SHORT)
        self._words = re.compile(rf"(?<!\w)(?:{words})(?!\w)") if words else None
        self._known = known  # The last: until then, no other thread takes them for known.

    def forget(self) -> None:
        """Forget all secrets, as in a new process."""
        self._known, self._forms, self._words = {}, [], None

    def over(self, other: Mask) -> Mask:
        """Return a mask that knows the secrets of this one and of another."""
        return Mask(self._known, beneath=other)

    def within(self, context: object) -> Mask:
        """Return a mask that also knows each secret in an attribute of `context`."""
        return Mask(beneath=self, context=context)


KNOWN = Mask(most=200)
"""Hides the secrets that this process has read lately, of any run, in what is only shown."""


def shown_text(value: object, *, one_line: bool = False) -> str:
    """Return a value as a text that may be shown: secrets that are known are masked.

    What could control a terminal, or turn the direction of text, is spelled out.

    Args:
        value: The value.
        one_line: Whether ends of lines are spelled out, too.
    """
    text = KNOWN(str(value))
    return visible(text) if one_line else "\n".join(visible_lines(text))


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


def mask_values(value: T, mask: Callable[[str], str], around: tuple[int, ...] = ()) -> T:
    """Return `value` with `mask` applied to each text in it; the same object if nothing changes.

    Args:
        value: The value; one that refers to itself stays as it is there.
        mask: The mask.
        around: The identities of the values that `value` is in.
    """
    masked: Any = value
    if isinstance(value, str):
        masked = mask(value)
        return value if masked == value else cast("T", masked)
    if id(value) in around or not isinstance(cast("object", value), list | tuple | Mapping):
        return value
    around = (*around, id(value))
    if isinstance(value, list | tuple):
        before: list[Any] = list(cast("list[object]", value))
        after = [mask_values(each, mask, around) for each in before]
        masked = tuple(after) if isinstance(value, tuple) else after
    else:
        items = cast("Mapping[object, object]", value).items()
        pairs = [(mask_values(key, mask), mask_values(each, mask, around)) for key, each in items]
        before = [each for pair in items for each in pair]
        after = [each for pair in pairs for each in pair]
        masked = dict(pairs)
    # Values such as arrays cannot be compared.
    same = all(one is other for one, other in zip(before, after, strict=True))
    return cast("T", value if same else masked)


def _typed_secrets(values: Iterable[object]) -> Iterator[str]:
    """Yield the texts of those of the values that are of a type for secrets."""
    for value in values:
        if hasattr(type(value), "get_secret_value"):
            text = cast("Any", value).get_secret_value()
            if isinstance(text, bytes):
                text = text.decode(errors="surrogateescape")
            if isinstance(text, str):
                yield text


def _forms(secret: str) -> set[str]:
    """Return the forms in which a text may have a secret."""
    lines = [line.strip() for line in secret.splitlines()]
    plain = {secret, secret.strip(), *(line for line in lines if len(line) >= 8)}
    forms = set(plain)
    for _ in range(2):  # An error may quote what another one has quoted.
        forms |= {written for each in forms for written in _written(each)}
    for each in plain:
        forms |= {*_in_urls(each), *_in_base64(each)}
    return forms


def _written(text: str) -> Iterator[str]:
    """Yield a text as JSON and `repr` write it within a longer one."""
    for written in (json.dumps(text), json.dumps(text, ensure_ascii=False)):
        yield written[1:-1]
    # Only a quote like those around it is escaped, and which those are depends on the other text.
    for write in (repr, ascii):
        parts = [write(part)[1:-1] for part in text.split("'")]
        yield from ("'".join(parts), "\\'".join(parts))
    parts = [repr(part)[2:-1] for part in _bytes(text).split(b"'")]
    yield from ("'".join(parts), "\\'".join(parts))


def _in_urls(text: str) -> Iterator[str]:

    encoded = _bytes(text)
    for written in (quote(encoded), quote(encoded, safe=""), quote_plus(encoded)):
        yield written
        yield re.sub("%..", lambda found: found[0].lower(), written)


def _in_base64(text: str) -> Iterator[str]:
    """Yield what is the same in base64 whatever stands before and after a text."""
    for before in range(3):
        content = bytes(before) + _bytes(text)
        written = b2a_base64(content, newline=False).decode().rstrip("=")
        # A letter that has bits of a neighbour depends on it.
        same = written[(0, 2, 3)[before] : len(content) * 8 // 6]
        if len(same) >= 6:
            yield same
            yield same.replace("+", "-").replace("/", "_")


def _bytes(text: str) -> bytes:
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:  # It has a surrogate that stands for no byte.
        return text.encode(errors="surrogatepass")


def is_secret_name(name: str) -> bool:
    """Return whether a field or key of this name has a secret, such as `token` or `api_key`."""
    return re.search(_SECRET_NAME, name) is not None


def without_secrets(name: str, value: Any) -> Any:
    """Return a value that JSON has, without passwords of URLs and without texts of secret names.

    Args:
        name: The name of the field or key that has it.
        value: The value; what is in it belongs to the same name, or to that of its key.
    """
    if isinstance(value, str):
        return HIDDEN if value and is_secret_name(name) else without_passwords(value)
    if isinstance(value, list):
        return [without_secrets(name, each) for each in cast("list[object]", value)]
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        below = name if is_secret_name(name) else ""
        return {
            without_passwords(key): without_secrets(below or key, each)
            for key, each in table.items()
        }
    return value


def named_secrets(name: str, value: object) -> Iterator[str]:
    """Yield the texts of secret names in a value, and the passwords of URLs."""
    if isinstance(value, str):
        if is_secret_name(name):
            yield value
        yield from _passwords(value)
    elif isinstance(value, list | tuple):
        for each in cast("list[object]", value):
            yield from named_secrets(name, each)
    elif isinstance(value, Mapping):
        for key, each in cast("Mapping[object, object]", value).items():
            yield from named_secrets(name if is_secret_name(name) else str(key), each)


def _passwords(url: str) -> Iterator[str]:
    if "://" in url:
        rest = without_passwords(url)
        for found in (*re.finditer(_PASSWORD, url), *re.finditer(_OPTION, url)):
            # One that is the name of the user, too, would hide what is no secret.
            if found[2] not in rest:
                yield found[2]


def looks_secret(text: str) -> bool:
    """Return whether a key, or a text with keys in it, looks as if it had to do with a secret."""
    return re.search(_SECRET, text) is not None


def shown(key: str, value: Any) -> Any:
    """Return `value` without passwords, and hidden if its key looks like that of a secret."""
    return HIDDEN if looks_secret(key) else without_secrets(key, value)
