"""The command `handrail scan`: the same scan, without an upload."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--socket", metavar="PATH|HOST:PORT", help="The socket of clamd.")
@click.option("--builtin", is_flag=True, help="Use the built-in signatures, clamd or not.")
def scan(paths: tuple[Path, ...], socket: str | None, builtin: bool) -> None:
    """Scan files and folders; exits with 1 when something is found."""
    from acme_scan.scanner import scanner_for
    from acme_scan.settings import ScanSettings

    scanner = scanner_for(
        ScanSettings(
            socket=socket,
            scanner="builtin" if builtin else "auto" if socket is None else "clamd",
        )
    )
    clean = infected = 0
    for file in (file for path in paths for file in _files(path)):
        found = scanner.scan(file)
        if found is None:
            clean += 1
            continue
        infected += 1
        click.echo(f"{file}: {found}")
    click.echo(f"{clean:,} clean, {infected:,} infected ({scanner.name})")
    if infected:
        raise click.exceptions.Exit(1)


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names))
