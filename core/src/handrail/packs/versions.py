"""Versions and ranges of versions, as PEP 440 defines them.

A range is asked about one given version, the running core, so a pre-release counts like any other
version: 0.3.0rc1 is in `>=0.2`, though not in `>=0.3`.
"""

from __future__ import annotations

import re
from functools import total_ordering
from typing import Any

from handrail.frozen import frozen, replace

# Compiled where they are used: most versions are plain numbers.
_VERSION = r"""(?xia)v?
    (?:(?P<epoch>[0-9]+)!)?
    (?P<release>[0-9]+(?:\.[0-9]+)*)
    (?:[-_.]?(?P<pre>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<pre_number>[0-9]*))?
    (?P<post>-(?P<implied>[0-9]+)|[-_.]?(?:post|rev|r)[-_.]?(?P<post_number>[0-9]*))?
    (?P<dev>[-_.]?dev[-_.]?(?P<dev_number>[0-9]*))?
    (?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?
    """
_CLAUSE = r"\s*(===|==|~=|!=|<=|>=|<|>)\s*([^\s,;]+)\s*"
_PRE = {"a": 0, "alpha": 0, "b": 1, "beta": 1, "c": 2, "rc": 2, "pre": 2, "preview": 2}

# Places in the order of a release: dev releases of it, its pre-releases, itself.
_BEFORE_PRE, _FINAL = -1, 3
_NEVER = float("inf")


@total_ordering
@frozen
class Version:
    """A version, comparable by PEP 440.

    Attributes:
        epoch: Usually 0.
        release: The numbers, as written.
        pre: Kind (0 alpha, 1 beta, 2 candidate) and number of a pre-release, or None.
        post: Number of a post-release, or None.
        dev: Number of a development release, or None.
        local: The parts after `+`, the numeric ones as numbers.
    """

    epoch: int
    release: tuple[int, ...]
    pre: tuple[int, int] | None = None
    post: int | None = None
    dev: int | None = None
    local: tuple[int | str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Version:
        """Return the version that `text` spells.

        Raises:
            ValueError: It spells none.
        """
        numbers = text.strip().split(".")
        if all(part.isdecimal() and part.isascii() for part in numbers):
            return cls(epoch=0, release=tuple(map(int, numbers)))
        match = re.fullmatch(_VERSION, text.strip())
        if match is None:
            raise ValueError(f"'{text}' is not a version")
        pre = match["pre"]
        post = match["implied"] or match["post_number"]
        parts = re.split(r"[-_.]", match["local"].lower()) if match["local"] else []
        return cls(
            epoch=int(match["epoch"] or 0),
            release=tuple(int(part) for part in match["release"].split(".")),
            pre=(_PRE[pre.lower()], int(match["pre_number"] or 0)) if pre else None,
            post=int(post or 0) if match["post"] else None,
            dev=int(match["dev_number"] or 0) if match["dev"] else None,
            local=tuple(int(part) if part.isdigit() else part for part in parts),
        )

    @property
    def base(self) -> tuple[int, tuple[int, ...]]:
        """Epoch and release without trailing zeros, so that 1.0 is 1."""
        release = list(self.release)
        while release and release[-1] == 0:
            release.pop()
        return self.epoch, tuple(release)

    @property
    def public(self) -> tuple[Any, ...]:
        """Key to compare by, without the local part."""
        if self.pre is None and self.post is None and self.dev is not None:
            pre: tuple[float, float] = (_BEFORE_PRE, 0)
        else:
            pre = (_FINAL, 0) if self.pre is None else self.pre
        post = -1 if self.post is None else self.post
        dev = _NEVER if self.dev is None else self.dev
        return (*self.base, pre, post, dev)

    def _key(self) -> tuple[Any, ...]:
        # No local part comes first, then words, then numbers.
        local = tuple(
            (1, part, "") if isinstance(part, int) else (0, 0, part) for part in self.local
        )
        return (self.public, local)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()


def satisfies(version: str, specifiers: str) -> bool:
    """Whether `version` is in the range that `specifiers` spell, such as `>=0.1,<0.2`.

    Raises:
        ValueError: One of them cannot be read.
    """
    clauses = [clause for clause in specifiers.split(",") if clause.strip()]
    # Every one is looked at, so that a wrong one is noticed wherever it stands.
    met = [_meets(version, clause) for clause in clauses]
    return all(met)


def _meets(version: str, clause: str) -> bool:
    match = re.fullmatch(_CLAUSE, clause)
    if match is None:
        raise ValueError(f"'{clause.strip()}' is not a range of versions")
    operator, wanted = match.groups()
    if operator == "===":
        return version.strip().lower() == wanted.lower()
    running = Version.parse(version)
    if wanted.endswith(".*"):
        if operator not in ("==", "!="):
            raise ValueError(f"'{clause.strip()}' cannot have a wildcard")
        return _begins(running, wanted[:-2]) == (operator == "==")
    limit = Version.parse(wanted)
    if operator in ("==", "!="):
        same = running == limit if limit.local else running.public == limit.public
        return same == (operator == "==")
    if limit.local:
        raise ValueError(f"'{clause.strip()}' cannot have a local part")
    return _compare(running, operator, limit, clause)


def _compare(running: Version, operator: str, limit: Version, clause: str) -> bool:
    here, there = running.public, limit.public
    match operator:
        case ">=":
            return here >= there
        case "<=":
            return here <= there
        case "~=":
            if len(limit.release) < 2:
                raise ValueError(f"'{clause.strip()}' needs at least two numbers")
            series = ".".join(map(str, limit.release[:-1]))
            prefix = f"{limit.epoch}!{series}"
            return here >= there and _begins(running, prefix)
        case "<":
            # 2.0rc1 is before 2.0, but nobody who asks for <2.0 means it.
            if limit.pre is None and limit.dev is None:
                there = replace(limit, dev=0).public
            return here < there
        case _:
            # Nor does >1.0 mean 1.0.post1.
            is_later_post = running.post is not None and limit.post is None and limit.dev is None
            if is_later_post and (running.base, running.pre) == (limit.base, limit.pre):
                return False
            return here > there


def _begins(version: Version, prefix: str) -> bool:
    """Whether the release of `version` begins with `prefix`, zeros filled in."""
    wanted = Version.parse(prefix)
    if wanted.pre or wanted.post is not None or wanted.dev is not None or wanted.local:
        raise ValueError(f"'{prefix}.*' can have a wildcard only after numbers")
    length = len(wanted.release)
    release = (*version.release, *[0] * length)[:length]
    return (version.epoch, release) == (wanted.epoch, wanted.release)
