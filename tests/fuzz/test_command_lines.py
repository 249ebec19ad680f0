"""No command line makes Handrail crash, hang, or end with a code that is not documented."""

from __future__ import annotations

from arena import Arena
from conftest import cases
from hypothesis import given
from strategies import command_lines, commands

from handrail.builtin.cli.app import root
from handrail.cli import Session

KNOWN = commands(root, Session())


@cases(12)
@given(line=command_lines(KNOWN))
def test_command_lines(arena: Arena, line: list[str]) -> None:
    """Any words after any command, with its options and those of others."""
    arena.put_back()
    arena.check(*line)
