"""The commands that output proposes, as they have to be typed to mean the same runs."""

from __future__ import annotations

import shlex

import click


def typed(words: str) -> str:
    """Return `handrail` with these words, for the journal that this call was given.

    One that a variable or the project names is found by the next call as well.
    """
    context = click.get_current_context(silent=True)
    url: str | None = None if context is None else context.params.get("journal")
    return f"handrail {words} --journal {shlex.quote(url)}" if url else f"handrail {words}"
