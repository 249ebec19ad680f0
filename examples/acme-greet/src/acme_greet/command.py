"""A command that this pack adds: handrail hello."""

from __future__ import annotations

import click


@click.command()
@click.argument("name", default="world")
def hello(name: str) -> None:
    """Say hello, without a workflow."""
    click.echo(f"Hello, {name}!")
