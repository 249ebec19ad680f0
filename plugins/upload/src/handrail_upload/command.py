"""The command `handrail upload`: lists the files of uploads, and verifies them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, nullcontext
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from handrail.cli import RunType, echo, echo_json
from handrail.frozen import values_of
from handrail_storage import count_text, size_text
from handrail_storage.manifests import find_run
from handrail_upload.catalogue import open_catalogue
from handrail_upload.errors import UploadError
from handrail_upload.manifest import OUTCOMES, Manifest
from handrail_upload.storage import open_storage
from handrail_upload.verification import Verification

_SHOWN = 50  # Differences that are shown one by one.

folder_option = click.option(
    "--state-folder",
    "folder",
    type=click.Path(path_type=Path),
    default=Path(".handrail/uploads"),
    show_default=True,
    help="Where the lists of files of the runs are kept.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Write one JSON object.")
run_argument = click.argument("run", required=False, type=RunType("upload"))


def _outcomes(
    _context: click.Context, param: click.Parameter, given: Sequence[str]
) -> Sequence[str]:
    """Return the outcomes that are given, each alone or several separated by commas."""
    words = [word for each in given for word in each.split(",")]
    for each in words:
        if each not in OUTCOMES:
            raise click.BadParameter(f"{each!r} is none of {', '.join(OUTCOMES)}", param=param)
    return words


def _complete_outcomes(
    _context: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    before, comma, word = incomplete.rpartition(",")
    fitting = (each for each in OUTCOMES if each.startswith(word))
    return [CompletionItem(f"{before}{comma}{each}") for each in fitting]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def upload() -> None:
    """Look at uploads.

    \b
    handrail run upload SOURCE TARGET    upload a folder
    handrail upload files                list what the latest upload did with each file
    handrail upload verify               compare the latest upload with its target
    """  # noqa: D301 - the escape tells click to keep the lines


@upload.command()
@run_argument
@click.option(
    "--state",
    "states",
    multiple=True,
    callback=_outcomes,
    shell_complete=_complete_outcomes,
    metavar="STATE,...",
    help=f"Only files in these states: {', '.join(OUTCOMES)}.",
)
@click.option("--match", metavar="GLOB", help="Only keys like this; a * stands for / as well.")
@folder_option
@click.option("--json", "as_json", is_flag=True, help="Write a JSON object a line for each file.")
def files(
    run: str | None, states: Sequence[str], match: str | None, folder: Path, as_json: bool
) -> None:
    """List what an upload did with each file: its outcome, its size, its key.

    RUN is the number of the upload, or its UUID; the latest one unless given. A file that is left
    out is listed with the reason. While the upload runs, or when it was stopped, the files that it
    has not sent yet are `unsent`.
    """
    found = find_run(folder, run, action="upload")
    count = size = 0
    with closing(Manifest(found.path, make=False)) as manifest:
        for each in manifest.outcomes(*states, match=match):
            count, size = count + 1, size + (each.size or 0)
            if as_json:
                is_read = echo_json(each._asdict())
            else:
                told = "-" if each.size is None else size_text(each.size)
                line = f"{each.key}  {each.why}" if each.why else each.key
                is_read = echo(line, head=f"{each.state:9}  {told:>7}  ")
            if not is_read:
                return
    if not as_json:
        echo(f"upload {found.name}: {count_text(count, 'file')}, {size_text(size)}", err=True)


@upload.command()
@run_argument
@click.option("--checksum", is_flag=True, help="Read every object, and compare its content.")
@folder_option
@json_option
def verify(run: str | None, checksum: bool, folder: Path, as_json: bool) -> int:
    """Compare target, manifest and catalogue of an upload.

    RUN is the number of the upload, or its UUID; the latest one unless given. Exit code 1 when
    something is missing or different.
    """
    found = find_run(folder, run, action="upload")
    with closing(Manifest(found.path, make=False)) as manifest:
        about = manifest.description()
        if "target" not in about or "catalogue" not in about:
            raise UploadError(f"the upload {found.name} ended before it had a target")
        named = about["catalogue"]
        with open_catalogue(named) if named else nullcontext() as catalogue:
            checked = Verification(
                manifest=manifest,
                storage=open_storage(about["target"]),
                catalogue=catalogue,
                checksum=checksum,
            )
            differences = [values_of(each) for each in checked.differences()]
    if as_json:
        document = {
            "id": found.number,
            "uid": found.uid,
            "target": about["target"],
            "catalogue": named or None,
            "files": checked.files,
            "bytes": checked.size,
            "differences": differences,
        }
        echo_json(document)
        return 1 if differences else 0
    unfinished = "" if about.get("finished") else " · not finished"
    echo(f"{found.name}{unfinished}", head="upload     ")
    echo(about["target"], head="target     ")
    echo(named or "none", head="catalogue  ")
    for each in differences[:_SHOWN]:
        echo(f"{each['key']}  {each['what']}", head=f"  {each['where']:9}  ")
    if len(differences) > _SHOWN:
        echo(f"  ... and {len(differences) - _SHOWN:,} more")
    files = f"{count_text(checked.files, 'file')}, {size_text(checked.size)}"
    how = "content read" if checksum else "sizes and ETags compared"
    told = count_text(len(differences), "difference") if differences else "all as it was uploaded"
    echo(f"{files} · {how} · {told}")
    return 1 if differences else 0
