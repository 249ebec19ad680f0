"""The commands that output proposes, with the `--journal` that they need to find the same runs."""

from __future__ import annotations

import shlex

import click


def command_line(words: str) -> str:
    """Return `handrail` followed by `words`, and by `--journal URL` if this call was given one.

    A journal from a variable or the project is left out: the next call finds it by itself.
    """
    context = click.get_current_context(silent=True)
    url: str | None = None if context is None else context.params.get("journal")
    return f"handrail {words} --journal {shlex.quote(url)}" if url else f"handrail {words}"
