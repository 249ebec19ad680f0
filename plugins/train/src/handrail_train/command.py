"""The command `handrail models`: lists, shows and removes versions in a store, and lists kinds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from handrail.cli import Column, Listing, echo, echo_json, run_numbers
from handrail_storage import count_text, one_line, size_text
from handrail_train.aliases import change_alias, is_alias, names_of, read_aliases
from handrail_train.errors import ModelError, StorageError, VersionError
from handrail_train.figures import FIGURES
from handrail_train.manifest import ManifestError, Version
from handrail_train.models import installed_kinds, kind_named
from handrail_train.models.installed import distribution_of
from handrail_train.names import cut, near
from handrail_train.store import DEFAULT, in_store, open_store
from handrail_train.versions import Versions

store_option = click.option(
    "--store",
    default=DEFAULT,
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
    handrail models compare digits@1 digits@2
    handrail models alias digits@2 champion
    handrail models kinds           what can be trained
    """  # noqa: D301 - the escape tells click to keep the lines


@models.command("list", short_help="List the versions in a store.")
@click.argument("name", required=False)
@click.option(
    "--sort",
    metavar="FIGURE",
    help="Sort by a figure of the test, the best first, such as auc, log_loss or r2.",
)
@store_option
@json_option
def list_models(name: str | None, sort: str | None, store: str, as_json: bool) -> None:
    """List the versions in a store, those of one model if NAME is given."""
    if sort is not None and sort not in FIGURES:
        hints = "".join(f"; {way}" for way in near(sort, FIGURES))
        raise click.UsageError(f"no test has the figure {sort}{hints}; it has {', '.join(FIGURES)}")
    opened = open_store(store)
    versions = Versions(opened)
    found, damaged = versions.look(name)
    if sort is not None:
        sign = -1 if FIGURES[sort][1] else 1
        found.sort(key=lambda each: (sort not in each.scores, sign * each.scores.get(sort, 0)))
    aliases = {name: read_aliases(opened, name) for name in {each.name for each in found}}
    if as_json:
        listed = [
            {**each.to_dict(), "aliases": names_of(aliases[each.name], each.number)}
            for each in found
        ]
        wrong = [
            {"version": reference, "message": error.message, "ways_out": list(error.ways_out)}
            for reference, error in damaged.items()
        ]
        echo_json({"models": listed, "damaged": wrong})
        return
    if name is not None and not (found or damaged):
        known = {each.name for each in versions.look()[0]}
        hints = "".join(f"; {way}" for way in near(name, known))
        echo(f"0 versions of {name} in {opened.url}{hints}")
        return
    figures = [sort] if sort else _first_figures(found)
    _table(
        [
            *map(_whole, ("VERSION", "CALLED", "KIND")),
            *(_whole(FIGURES[each][0].upper()) for each in figures),
            *map(_whole, ("SIZE", "CREATED")),
        ],
        [
            (
                each.reference,
                ", ".join(names_of(aliases[each.name], each.number)) or "-",
                each.kind,
                *(_figure(each, figure) for figure in figures),
                size_text(each.files["model"].size),
                _when(each),
            )
            for each in found
        ],
    )
    echo(f"{count_text(len(found), 'version')} in {opened.url}")
    for error in damaged.values():
        echo(f"damaged: {error.message}")
        for way in error.ways_out:
            echo(f"  {way}")


def _first_figures(found: Sequence[Version]) -> list[str]:
    """Return the figures to list: those that are there, of classes and of numbers."""
    return [
        name
        for name in ("accuracy", "auc", "r2", "rmse")
        if any(name in each.scores for each in found)
    ]


@models.command(short_help="Call a version by a name, such as champion.")
@click.argument("reference", metavar="NAME[@NUMBER]")
@click.argument("alias", metavar="ALIAS")
@click.option("--remove", is_flag=True, help="No version is called so any more.")
@store_option
@json_option
def alias(reference: str, alias: str, remove: bool, store: str, as_json: bool) -> None:
    """Call a version by a name, in place of the one that was called so: people@champion.

    It belongs to no run; what it stood for before is printed, with the command that goes back.
    """
    if not is_alias(alias):
        raise click.UsageError(
            f"{alias!r} cannot be a name: it begins with a small letter, has letters, digits, '.', "
            "'_' and '-', and is not latest"
        )
    opened = open_store(store)
    version = Versions(opened).get(reference)
    number = None if remove else version.number
    before = change_alias(opened, version.name, alias, number)
    if as_json:
        echo_json({"model": version.name, "alias": alias, "number": number, "before": before})
        return
    if remove:
        echo(f"no version of {version.name} is called {alias}")
    else:
        echo(f"{version.reference} is {version.name}@{alias}")
    if before is not None and before != number:
        echo(f"it was {version.name}@{before}")
        back = f"{version.name}@{before} {alias}{in_store(store)}"
        echo(f"  back  handrail models alias {back}")
    elif before is None and number is not None:
        back = f"{version.reference} {alias} --remove{in_store(store)}"
        echo(f"  back  handrail models alias {back}")


@models.command(short_help="Compare versions: figures, params, data.")
@click.argument("references", metavar="NAME[@NUMBER]...", nargs=-1, required=True)
@store_option
@json_option
def compare(references: tuple[str, ...], store: str, as_json: bool) -> None:
    """Compare versions: figures of the test, and what differs of the rest.

    One name alone compares all versions of that model.
    """
    versions = Versions(open_store(store))
    if len(references) == 1 and "@" not in references[0]:
        versions.get(references[0])
        found = versions.all(references[0])
    else:
        found = [versions.get(each) for each in references]
    reports = [_report(versions, each) for each in found]
    figures = [name for name in FIGURES if any(name in each.scores for each in found)]
    about = [_flat(each, report) for each, report in zip(found, reports, strict=True)]
    keys = list(dict.fromkeys(key for each in about for key in each))
    differing = [key for key in keys if len({each.get(key) for each in about}) > 1]
    if as_json:
        compared = [
            {"version": each.reference, "scores": dict(each.scores), "about": known}
            for each, known in zip(found, about, strict=True)
        ]
        echo_json({"versions": compared, "differing": differing})
        return
    rows = [
        (FIGURES[name][0], *_best_marked(name, [each.scores.get(name) for each in found]))
        for name in figures
    ]
    rows += [(key, *(cut(str(each.get(key, "-")), 40) for each in about)) for key in differing]
    _table([_whole(""), *(_whole(each.reference) for each in found)], rows)
    same = len(keys) - len(differing)
    echo(f"* the best · {same} of {len(keys)} params and facts are the same in all")


def _best_marked(name: str, values: Sequence[float | None]) -> list[str]:
    """Return figures as texts, the best one with a star."""
    there = [each for each in values if each is not None]
    best = (max if FIGURES[name][1] else min)(there, default=None)
    alone = len(values) > 1 and there.count(best or 0.0) == 1
    return [
        "-" if each is None else f"{each:.4f}{' *' if alone and each == best else ''}"
        for each in values
    ]


def _flat(version: Version, report: dict[str, Any]) -> dict[str, str]:
    """Return what is known of a training, by name, as texts."""
    data = report["dataset"]
    hyper = {f"hyper.{name}": value for name, value in report["hyper"].items()}
    known = {
        "kind": version.kind,
        **report["params"],
        **hyper,
        "data": data["name"],
        "fingerprint": version.data[:16],
        "rows": data["rows"],
        "columns": ", ".join(f"{each['name']} {each['kind']}" for each in data["columns"]),
        **{f"library {name}": each for name, each in version.libraries.items()},
    }
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in known.items()
    }


@models.command(short_help="Show what is known of a version.")
@click.argument("reference", metavar="NAME[@NUMBER]")
@click.option(
    "--save",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write its files into this folder.",
)
@store_option
@json_option
def show(reference: str, folder: Path | None, store: str, as_json: bool) -> None:
    """Show what is known of a version, of the latest one without a number."""
    versions = Versions(open_store(store))
    version = versions.get(reference)
    called = names_of(read_aliases(versions.store, version.name), version.number)
    report = _report(versions, version)
    saved = [] if folder is None else _save(versions, version, folder)
    number = run_numbers(click.get_current_context()).get(version.run)
    if as_json:
        names = {"id": number, "uid": version.run}
        about = {**version.to_dict(), **names, "aliases": called}
        echo_json({**about, "report": report, "saved": saved})
        return
    for label, text in _described(version, report, str(number or version.run)):
        echo(text, head=f"{label:8}  ")
    if called:
        echo(", ".join(called), head=f"{'called':8}  ")
    for name, file in version.files.items():
        echo(file.key, head=f"  {name:16}  {size_text(file.size):>7}  ")
    for path in saved:
        echo(f"wrote {path}")


def _report(versions: Versions, version: Version) -> dict[str, Any]:
    """Return the report of a version, which may come from another program.

    Raises:
        VersionError: The report is malformed.
    """
    try:
        report: dict[str, Any] = json.loads(versions.content(version, "report"))
        _described(version, report, version.run)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        key = version.files["report"].key
        raise VersionError(f"{version.reference}: {key} is no report of a training") from error
    return report


def _described(version: Version, report: dict[str, Any], run: str) -> list[tuple[str, str]]:
    data, hyper, target = report["dataset"], report["hyper"], report["dataset"]["target"]
    classes = target.get("classes")
    told = f"a number ({target['why']})" if classes is None else cut(", ".join(map(str, classes)))
    columns = ", ".join(f"{each['name']} {each['kind']}" for each in data["columns"])
    libraries = ", ".join(f"{name} {number}" for name, number in version.libraries.items())
    return [
        ("version", version.reference),
        ("kind", " ".join((version.kind, *(f"{k}={json.dumps(v)}" for k, v in hyper.items())))),
        ("data", f"{data['name']} · {data['rows']:,} rows"),
        ("", f"fingerprint {version.data[:16]}"),
        ("columns", cut(columns, 160)),
        ("tells", f"{target['name']}: {told}"),
        ("epochs", f"{len(report['history'])}, kept after {report['best_epoch']}"),
        ("test", ", ".join(f"{n.replace('_', ' ')} {v:.4g}" for n, v in version.scores.items())),
        ("made", f"{_when(version)} by run {run}"),
        ("needs", libraries),
    ]


@models.command(short_help="Delete a version, and what no other one has.")
@click.argument("reference", metavar="NAME@NUMBER")
@store_option
@json_option
def remove(reference: str, store: str, as_json: bool) -> None:
    """Delete a version, and those of its files that no other version has."""
    if "@" not in reference:
        raise VersionError(
            f"which version of {reference} is to be removed has to be said",
            ways_out=(f"see which there are: handrail models list {reference}{in_store(store)}",),
        )
    versions = Versions(open_store(store))
    kept = 0
    try:
        version = versions.get(reference)
    except ManifestError:
        deleted = versions.remove_damaged(reference)
    else:
        if called := names_of(read_aliases(versions.store, version.name), version.number):
            raise VersionError(
                f"{version.reference} is called {', '.join(called)}, so it is not removed",
                ways_out=(
                    f"call another one so: handrail models alias {version.name}@NUMBER {called[0]}"
                    f"{in_store(store)}",
                    f"or none: handrail models alias {version.reference} {called[0]} --remove"
                    f"{in_store(store)}",
                ),
            )
        reference, deleted = version.reference, versions.remove(version)
        kept = len(version.files) - len(deleted)
    if as_json:
        echo_json({"removed": reference, "deleted": deleted})
        return
    others = f", {kept} kept that other versions have" if kept else ""
    echo(f"removed {reference}: {count_text(len(deleted), 'file')} deleted{others}")


@models.command(short_help="List what can be trained; with KIND its hyper-parameters.")
@click.argument("kind", required=False)
@json_option
def kinds(kind: str | None, as_json: bool) -> None:
    """List the kinds of models that can be trained; with KIND its hyper-parameters."""
    if kind is not None:
        _show_kind(kind, as_json)
        return
    found = installed_kinds()
    rows = [(each.name, distribution_of(each)) for each in found]
    if as_json:
        listed = [{"name": name, "pack": pack} for name, pack in rows]
        echo_json({"kinds": listed})
        return
    _table([*map(_whole, ("KIND", "PACK"))], rows)
    echo(f"{count_text(len(rows), 'kind')} · the hyper-parameters:  handrail models kinds KIND")


def _show_kind(name: str, as_json: bool) -> None:
    found = kind_named(name)
    missing = ""
    try:
        found.check()
    except ModelError as error:
        missing = one_line(error)
    doc = (type(found).__doc__ or "").strip().partition("\n")[0]
    fields = found.hyper.model_json_schema().get("properties", {})
    if as_json:
        about = {"kind": name, "about": doc, "missing": missing, "hyper": fields}
        echo_json(about)
        return
    echo(f"{name}: {doc}")
    rows = [
        (field, _values(about), json.dumps(about.get("default")), about.get("description", ""))
        for field, about in fields.items()
    ]
    wrapped = (Column(name=each, wraps=True) for each in ("VALUES", "DEFAULT", "DOES"))
    _table([_whole("HYPER-PARAMETER"), *wrapped], rows)
    if missing:
        echo(f"not ready: {missing}")
    first = next(iter(fields), "NAME")
    echo(f"Give one:  handrail run train DATA --kind {name} -p hyper.{first}=...")


def _whole(heading: str) -> Column:
    return Column(name=heading, cut="")


def _table(head: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    for line in Listing(head=head if rows else (), rows=rows).lines():
        echo(line)


def _values(about: dict[str, Any]) -> str:
    if "enum" in about:
        return ", ".join(map(str, about["enum"]))
    if about.get("type") == "array" and "items" in about:
        return f"list of {_values(about['items'])}"
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
    saved: list[str] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, file in version.files.items():
            suffix = Path(file.key).name.removeprefix(f"{file.sha256}-{version.run}")
            path = folder / f"{name.replace('_', '-')}{suffix}"
            path.write_bytes(versions.content(version, name))
            saved.append(str(path))
    except OSError as error:
        raise StorageError(
            f"{error.filename or folder}: {error.strerror}",
            ways_out=("give --save a folder that can be written",),
        ) from error
    return saved


def _figure(version: Version, name: str) -> str:
    value = version.scores.get(name)
    return "-" if value is None else f"{value:.4f}"


def _when(version: Version) -> str:
    return version.created[:19].replace("T", " ")
