"""The command `handrail export`: verifies exports, and lists formats."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from handrail.cli import Listing, RunType, echo, echo_json
from handrail.errors import NotFoundError
from handrail.frozen import record, values_of
from handrail_export.errors import ExportError
from handrail_export.formats.registry import offers
from handrail_export.manifest import ExportedFile, Manifest
from handrail_export.manifest.document import NAME, read_document
from handrail_export.target import open_target
from handrail_export.verification import Difference, Verification
from handrail_storage import count_text, size_text
from handrail_storage.manifests import KeptRun, find_run

_SHOWN = 50  # Differences that are shown one by one.
_A_RUN = re.compile(r"[0-9]{1,9}|[0-9a-f-]{4,36}")

folder_option = click.option(
    "--state-folder",
    "folder",
    type=click.Path(path_type=Path),
    default=Path(".handrail/exports"),
    show_default=True,
    help="Where the manifests of the runs are kept.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Write one JSON object.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def export() -> None:
    """Look at finished exports.

    \b
    handrail run export SOURCE TARGET    export a table, a query or a catalogue
    handrail export verify               compare the latest one with its manifest
    handrail export formats              list the formats there are
    """  # noqa: D301 - the escape tells click to keep the lines


@export.command()
@json_option
def formats(as_json: bool) -> None:
    """List the formats there are; nothing of them is imported."""
    found = offers()
    if as_json:
        parts = ((each.name, *each.pack.partition(" ")[::2]) for each in found)
        keys = ("name", "pack", "version")
        echo_json({"formats": [dict(zip(keys, each, strict=True)) for each in parts]})
        return
    rows = [(each.name, each.pack) for each in found]
    for line in Listing(head=("FORMAT", "PACK"), rows=rows).lines():
        echo(line)


@export.command()
@click.argument("what", metavar="[RUN|FOLDER]", required=False, type=RunType("export"))
@click.option("--quick", is_flag=True, help="Compare sizes only, and read no content.")
@folder_option
@json_option
def verify(what: str | None, quick: bool, folder: Path, as_json: bool) -> int:
    """Compare what is at the target of an export with its manifest.

    RUN is the number of the export, or its UUID; the latest one unless given. FOLDER is a folder or
    URL with a manifest.json. Exit code 1 when something is missing or different.
    """
    with closing(_find(what, folder)) as listed:
        checked = Verification(target=open_target(listed.target), quick=quick)
        differences = list(checked.differences(listed.files))
    if as_json:
        document = {
            "id": listed.number,
            "uid": listed.about.get("run"),
            "output": listed.output,
            "format": listed.about.get("format"),
            "exported_count": listed.about.get("exported_count"),
            "files": checked.files,
            "bytes": checked.size,
            "differences": [values_of(each) for each in differences],
        }
        echo_json(document)
    else:
        _show(listed, checked, differences)
    return 1 if differences else 0


def _show(listed: Listed, checked: Verification, differences: list[Difference]) -> None:
    unfinished = "" if listed.finished else " · not finished"
    echo(f"export  {listed.name or 'of a run that is not known'}{unfinished}")
    echo(listed.output, head="output  ")
    for each in differences[:_SHOWN]:
        echo(f"  {each.path}  {each.what}")
    if len(differences) > _SHOWN:
        echo(f"  ... and {len(differences) - _SHOWN:,} more")
    files = f"{count_text(checked.files, 'file')}, {size_text(checked.size)}"
    how = "sizes compared" if checked.quick else "content read"
    told = count_text(len(differences), "difference") if differences else "all as it was exported"
    echo(f"{files} · {how} · {told}")


@record
class Listed:
    """The content of a manifest.

    Attributes:
        about: The description of the export.
        target: The folder that its files are below.
        output: The location of the export, for people.
        finished: Whether the export was completed.
        files: Its files.
        manifest: The manifest of the run, if it is the source.
        number: The number of the run, if it is known here.
    """

    about: dict[str, Any]
    target: str
    output: str
    finished: bool
    files: Iterator[ExportedFile]
    manifest: Manifest | None = None
    number: int | None = None

    @property
    def name(self) -> str:
        """The name of the run: its number, or its UUID; empty if it is not known."""
        return str(self.number or self.about.get("run") or "")

    def close(self) -> None:
        """Close the manifest."""
        if self.manifest is not None:
            self.manifest.close()


def _find(what: str | None, folder: Path) -> Listed:
    if what is None or (_A_RUN.fullmatch(what) and not Path(what).exists()):
        return _of_run(find_run(folder, what, action="export"))
    return _at_folder(what.removesuffix(f"/{NAME}"))


def _of_run(run: KeptRun) -> Listed:
    manifest = Manifest(run.path, make=False)
    about = manifest.description()
    if not {"exported_count", "target", "output"} <= about.keys():
        manifest.close()
        raise ExportError(f"the export {run.name} ended before it had written anything")
    return Listed(
        about=about,
        target=about["target"],
        output=about["output"],
        finished="finished" in about,
        files=manifest.files(),
        manifest=manifest,
        number=run.number,
    )


def _at_folder(where: str) -> Listed:
    content = open_target(where).read(NAME)
    if content is None:
        raise NotFoundError(
            f"there is no {NAME} in {where}",
            ways_out=("of an export that is one file: the number of the run",),
        )
    about, files = read_document(content, f"{where}/{NAME}")
    return Listed(about=about, target=where, output=where, finished=True, files=files)
