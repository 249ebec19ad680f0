"""Requirements of a distribution: what it wants of another, and whether that applies here."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping

from handrail.frozen import frozen
from handrail.packs.versions import Version, satisfies
from handrail.settings.names import normalised

# Compiled where they are used: most calls need none of them.
_REQUIREMENT = (
    r"(?s)\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*"
    r"(?P<rest>[^;]*?)\s*(?:;\s*(?P<marker>.*))?"
)
_TOKEN = (
    r"\s*(?:(?P<mark>[()])|(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<operator>===|==|~=|!=|<=|>=|<|>|not\s+in\b|in\b)|(?P<word>[a-z_.]+))\s*"
)


@frozen
class Requirement:
    """What a distribution wants of another.

    Attributes:
        name: The other's normalised name.
        specifiers: Range of versions, such as `>=0.1,<0.2`; empty for any, and for an address.
        marker: Condition on the environment, or an empty string.
    """

    name: str
    specifiers: str
    marker: str

    @classmethod
    def parse(cls, text: str) -> Requirement:
        """Return the requirement that `text` spells.

        Raises:
            ValueError: It spells none.
        """
        match = re.fullmatch(_REQUIREMENT, text)
        if match is None:
            raise ValueError(f"'{text}' is not a requirement")
        rest = match["rest"].strip()
        if rest.startswith("(") and rest.endswith(")"):
            rest = rest[1:-1]
        return cls(
            name=normalised(match["name"]),
            specifiers="" if rest.startswith("@") else rest,
            marker=(match["marker"] or "").strip(),
        )

    def applies(self, environment: Mapping[str, str] | None = None) -> bool:
        """Whether its marker holds here, with no extra asked for.

        Raises:
            ValueError: The marker cannot be read.
        """
        if not self.marker:
            return True
        tokens = _Tokens(text=self.marker, environment=environment or _environment())
        return tokens.whole()


def _environment() -> dict[str, str]:
    # Needed for markers only, which few requirements have.
    import platform  # noqa: PLC0415

    version = sys.version_info
    return {
        "extra": "",
        "implementation_name": sys.implementation.name,
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": f"{version.major}.{version.minor}",
        "sys_platform": sys.platform,
    }


class _Tokens:
    """Evaluates a marker while reading it from left to right."""

    def __init__(self, *, text: str, environment: Mapping[str, str]) -> None:
        self._text = text
        self._environment = environment
        self._tokens = list(self._split())
        self._at = 0

    def _split(self) -> Iterator[tuple[str, str]]:
        at, token = 0, re.compile(_TOKEN)
        while at < len(self._text):
            match = token.match(self._text, at)
            if match is None:
                raise self._unreadable()
            yield str(match.lastgroup), match[str(match.lastgroup)]
            at = match.end()

    def whole(self) -> bool:
        result = self._either()
        if self._at != len(self._tokens):
            raise self._unreadable()
        return result

    def _either(self) -> bool:
        result = self._both()
        while self._skip("or"):
            result = self._both() or result
        return result

    def _both(self) -> bool:
        result = self._one()
        while self._skip("and"):
            result = self._one() and result
        return result

    def _one(self) -> bool:
        if self._skip("("):
            result = self._either()
            if not self._skip(")"):
                raise self._unreadable()
            return result
        left = self._value()
        kind, operator = self._take()
        if kind != "operator":
            raise self._unreadable()
        return _holds(left, " ".join(operator.split()), self._value())

    def _skip(self, text: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at][1] == text
        self._at += found
        return found

    def _take(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise self._unreadable()
        self._at += 1
        return self._tokens[self._at - 1]

    def _value(self) -> str:
        kind, text = self._take()
        if kind == "text":
            return text[1:-1]
        if kind == "word" and text in self._environment:
            return self._environment[text]
        raise self._unreadable()

    def _unreadable(self) -> ValueError:
        return ValueError(f"'{self._text}' is not a condition")


def _holds(left: str, operator: str, right: str) -> bool:
    if operator in ("in", "not in"):
        return (left in right) == (operator == "in")
    try:
        Version.parse(left)
        return satisfies(left, operator + right)
    except ValueError:
        pass
    match operator:
        case "==" | "===":
            return left == right
        case "!=":
            return left != right
        case "<" | "<=" | ">" | ">=":
            return {"<": left < right, "<=": left <= right, ">": left > right}.get(
                operator, left >= right
            )
        case _:
            return False
