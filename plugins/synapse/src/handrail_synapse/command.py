"""The command `handrail synapse`: looks at plugins before they are moved."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import click

from handrail import ExitCode
from handrail.cli import echo, echo_json
from handrail_synapse.reading import Finding, read_plugin

_SHOWN = {"runs": "runs", "missing": "does not run", "client": "client", "unread": "not read"}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def synapse() -> None:
    """Look at plugins that were written for the Synapse SDK."""


@synapse.command(short_help="Say which lines of a plugin will run.")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--all", "everything", is_flag=True, help="List what will run too.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object.")
def inspect(path: Path, everything: bool, as_json: bool) -> None:
    """Say which names of the SDK the plugin at PATH uses, and which of them are not there.

    PATH is a file or a folder. Nothing of it is run or imported. The exit code is 1 if something
    will not run.
    """
    found = list(read_plugin(path))
    wrong = [each for each in found if each.kind in ("missing", "unread")]
    if as_json:
        echo_json({"findings": [each.to_dict() for each in found], "runs": not wrong})
    else:
        _tell(found, everything=everything)
    if wrong:
        raise SystemExit(ExitCode.FAILED)


def _tell(found: list[Finding], *, everything: bool) -> None:
    shown = [each for each in found if everything or each.kind != "runs"]
    for file, findings in groupby(shown, key=lambda each: each.file):
        echo(file)
        for each in findings:
            echo(f"  {each.line:>4}  {_SHOWN[each.kind]:12}  {each.name}")
            if each.note:
                echo(f"        {each.note}")
    runs = sum(each.kind == "runs" for each in found)
    wrong = sum(each.kind in ("missing", "unread") for each in found)
    methods = {each.name for each in found if each.kind == "client"}
    asks = f", the client needs {_count(len(methods), 'method')}" if methods else ""
    if not runs and not wrong:
        echo("nothing here uses synapse_sdk")
        return
    echo(f"{_count(runs, 'use')} of synapse_sdk will run, {wrong} will not{asks}")


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
