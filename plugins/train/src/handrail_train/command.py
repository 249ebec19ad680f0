"""The command `handrail models`: the versions of models in a store, and what can be trained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from handrail_train.errors import ModelError, VersionError
from handrail_train.models import installed_kinds, kind_named
from handrail_train.models.installed import distribution_of
from handrail_train.names import count_text, size_text
from handrail_train.store import open_store
from handrail_train.versions import Version, Versions

store_option = click.option(
    "--store",
    default="models",
    show_default=True,
    help="Where models are kept: a folder, or a URL such as s3://bucket/path.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Write one JSON object.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def models() -> None:
    """Look at trained models, and remove them.

    \b
    handrail run train DATA         train one
    handrail models list            the versions that are there
    handrail models show digits@2   what is known of one; digits for the latest
    handrail models kinds           what can be trained
    """  # noqa: D301 - the escape tells click to keep the lines


@models.command("list")
@click.argument("name", required=False)
@store_option
@json_option
def list_models(name: str | None, store: str, as_json: bool) -> None:
    """List the versions in a store, those of one model if NAME is given."""
    opened = open_store(store)
    found = Versions(opened).all(name)
    if as_json:
        click.echo(json.dumps({"schema": 1, "models": [each.to_dict() for each in found]}))
        return
    head = ("VERSION", "KIND", "ACCURACY", "SIZE", "CREATED")
    _table(
        head,
        [
            (
                each.reference,
                each.kind,
                _figure(each, "accuracy"),
                size_text(each.files["model"].size),
                _when(each),
            )
            for each in found
        ],
    )
    click.echo(f"{count_text(len(found), 'version')} in {opened.url}")


@models.command()
@click.argument("reference", metavar="NAME[@NUMBER]")
@click.option(
    "--save",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write its files, among them the pictures, into this folder.",
)
@store_option
@json_option
def show(reference: str, folder: Path | None, store: str, as_json: bool) -> None:
    """Show what is known of a version, of the latest one without a number."""
    versions = Versions(open_store(store))
    version = versions.get(reference)
    report: dict[str, Any] = json.loads(versions.content(version, "report"))
    saved = [] if folder is None else _save(versions, version, folder)
    if as_json:
        document = {**version.to_dict(), "report": report, "saved": saved}
        click.echo(json.dumps(document))
        return
    data, hyper = report["dataset"], report["hyper"]
    libraries = ", ".join(f"{name} {number}" for name, number in version.libraries.items())
    lines = [
        ("version", version.reference),
        ("kind", " ".join((version.kind, *(f"{k}={json.dumps(v)}" for k, v in hyper.items())))),
        ("data", f"{data['name']} · {data['rows']:,} rows · {len(data['columns'])} columns"),
        ("", f"fingerprint {version.data[:16]}"),
        ("classes", _cut(", ".join(map(str, data["classes"])))),
        ("epochs", f"{len(report['history'])}, kept after {report['best_epoch']}"),
        ("test", ", ".join(f"{n.replace('_', ' ')} {v:.4g}" for n, v in version.scores.items())),
        ("made", f"{_when(version)} by run {version.run}"),
        ("needs", libraries),
    ]
    for label, text in lines:
        click.echo(f"{label:8}  {text}".rstrip())
    for name, file in version.files.items():
        click.echo(f"  {name:16}  {size_text(file.size):>7}  {file.key}")
    for path in saved:
        click.echo(f"wrote {path}")


@models.command()
@click.argument("reference", metavar="NAME@NUMBER")
@store_option
@json_option
def remove(reference: str, store: str, as_json: bool) -> None:
    """Delete a version, and those of its files that no other version has."""
    if "@" not in reference:
        raise VersionError(
            f"which version of {reference} is to be removed has to be said",
            ways_out=(f"see which there are: handrail models list {reference}",),
        )
    versions = Versions(open_store(store))
    version = versions.get(reference)
    deleted = versions.remove(version)
    if as_json:
        click.echo(json.dumps({"schema": 1, "removed": version.reference, "deleted": deleted}))
        return
    kept = len(version.files) - len(deleted)
    others = f", {kept} kept that other versions have" if kept else ""
    click.echo(f"removed {version.reference}: {count_text(len(deleted), 'file')} deleted{others}")


@models.command()
@click.argument("kind", required=False)
@json_option
def kinds(kind: str | None, as_json: bool) -> None:
    """List the kinds of models that can be trained; with KIND its hyper-parameters."""
    if kind is not None:
        _show_kind(kind, as_json)
        return
    found = installed_kinds()
    rows = [(name, distribution_of(point)) for name, point in found.items()]
    if as_json:
        listed = [{"name": name, "pack": pack} for name, pack in rows]
        click.echo(json.dumps({"schema": 1, "kinds": listed}))
        return
    _table(("KIND", "PACK"), rows)
    click.echo(
        f"{count_text(len(rows), 'kind')} · the hyper-parameters:  handrail models kinds KIND"
    )


def _show_kind(name: str, as_json: bool) -> None:
    found = kind_named(name)
    missing = ""
    try:
        found.check()
    except ModelError as error:
        missing = "; ".join((error.message, *error.ways_out))
    doc = (type(found).__doc__ or "").strip().partition("\n")[0]
    fields = found.hyper.model_json_schema().get("properties", {})
    if as_json:
        about = {"schema": 1, "kind": name, "about": doc, "missing": missing, "hyper": fields}
        click.echo(json.dumps(about))
        return
    click.echo(f"{name}: {doc}")
    rows = [
        (field, _values(about), json.dumps(about.get("default")), about.get("description", ""))
        for field, about in fields.items()
    ]
    _table(("HYPER-PARAMETER", "VALUES", "DEFAULT", "DOES"), rows)
    if missing:
        click.echo(f"not ready: {missing}")
    first = next(iter(fields), "NAME")
    click.echo(f"Give one:  handrail run train DATA --kind {name} -p hyper.{first}=...")


def _values(about: dict[str, Any]) -> str:
    if "enum" in about:
        return ", ".join(map(str, about["enum"]))
    if "anyOf" in about:
        return " or ".join(_values(each) for each in about["anyOf"])
    bounds = (
        (">", about.get("exclusiveMinimum")),
        (">=", about.get("minimum")),
        ("<=", about.get("maximum")),
    )
    told = [f"{sign} {value:g}" for sign, value in bounds if value is not None]
    return " ".join((about.get("type", "any"), *told))


def _save(versions: Versions, version: Version, folder: Path) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    saved: list[str] = []
    for name, file in version.files.items():
        suffix = Path(file.key).name.removeprefix(file.sha256)
        path = folder / f"{name.replace('_', '-')}{suffix}"
        path.write_bytes(versions.content(version, name))
        saved.append(str(path))
    return saved


def _figure(version: Version, name: str) -> str:
    value = version.scores.get(name)
    return "-" if value is None else f"{value:.4f}"


def _when(version: Version) -> str:
    return version.created[:19].replace("T", " ")


def _cut(text: str, width: int = 80) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    cells = [head, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        line = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        click.echo("  ".join(line).rstrip())
