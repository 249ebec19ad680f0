"""Writes a document that a command makes, such as a picture or a report, where the user wants."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from handrail.atomic import replace_file

if TYPE_CHECKING:
    from handrail.builtin.cli.session import Session


def write_document(session: Session, text: str, file: str) -> None:
    """Write a document to a file, which is replaced as a whole, or to standard output.

    Args:
        session: The call.
        text: The document.
        file: Path of the file; `-` is standard output.

    Raises:
        UsageError: The file cannot be written.
    """
    if file == "-":
        for line in text.splitlines():
            session.console.print(line)
        return
    path = Path(file)
    try:
        if path.exists() and not path.is_file():  # A device, or a pipe, cannot be replaced.
            path.write_text(text, encoding="utf-8")
        else:
            replace_file(path, text.encode())
    except OSError as error:
        raise click.UsageError(f"{file} cannot be written: {error.strerror}") from error
    session.console.note(f"wrote {file}")
