"""The floor of a command line: a bare click group of as many commands as `handrail` has."""

from __future__ import annotations

import click


@click.group()
def group() -> None:
    """Do nothing."""


for number in range(14):
    group.add_command(click.Command(f"command-{number}", help=f"Do nothing, number {number}."))

if __name__ == "__main__":
    group()
