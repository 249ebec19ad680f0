"""The params of an upload: as a model, and as options of the command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handrail.errors import ParamsError
from handrail_upload import DefaultUploadAction, UploadParams

MIB = 1 << 20
RENAMED = {
    "sources": "source",
    "metadata_file": "metadata",
    "specification": "spec",
    "folder": "state-folder",
}
METAVARS = {
    "source": "NAME=VALUE",
    "collection": "TEXT",
    "catalogue": "[TEXT]",
    "metadata": "PATH",
    "metadata-key": "TEXT",
    "spec": "PATH",
    "include": "TEXT",
    "exclude": "TEXT",
    "files-from": "PATH",
    **dict.fromkeys(("min-size", "max-size"), "SIZE"),
    **dict.fromkeys(("min-age", "max-age"), "DURATION"),
    "limit": "INTEGER",
    "on-invalid": "[fail|skip]",
    "on-changed": "[fail|skip|take]",
    "max-failed-files": "VALUE",
    "max-delete": "VALUE",
    "if-exists": "[same|skip|overwrite|error]",
    "keep-replaced": "[DURATION]",
    "compare": "[checksum|size]",
    "claim-wait": "DURATION",
    "transfers": "INTEGER",
    "part-size": "SIZE",
    "part-concurrency": "INTEGER",
    "bandwidth": "SIZE",
    "retries": "INTEGER",
    "state-folder": "PATH",
}
DEFAULTS = {
    "catalogue": "True",
    "on-changed": "fail",
    "max-failed-files": "0",
    "max-delete": "10%",
    "on-invalid": "fail",
    "if-exists": "same",
    "keep-replaced": "True",
    "compare": "checksum",
    "claim-wait": "0s",
    "transfers": "32",
    "part-size": "8.0MiB",
    "part-concurrency": "4",
    "retries": "8",
    "state-folder": ".handrail/uploads",
}


def options_in(text: str) -> dict[str, tuple[str, str]]:
    """Return metavar and help of each option, on one line."""
    found: dict[str, tuple[str, str]] = {}
    off = r"(?: / --no-[\w-]+)?"
    start = rf"(?m)^  (?:-\w, )?--([\w-]+){off} ?(\[[\w|]+\]|[A-Z=]+)?{off}(?=\s)"
    for name, metavar, rest in re.findall(rf"{start}(.*\n(?:    .*\n)*)", text):
        found[name] = (metavar, " ".join(rest.split()))
    return found


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the help of the upload, as it is without a terminal."""
    folder = tmp_path_factory.mktemp("help")
    line = ["handrail", "run", "upload", "--help"]
    code = (
        f"import runpy, sys; sys.argv = {line!r}; runpy.run_module('handrail', run_name='__main__')"
    )
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    return done.stdout


def test_every_param_is_an_option(shown: str) -> None:
    """The help shows each param with its metavar, its description and its default."""
    options = options_in(shown)
    for name, field in UploadParams.model_fields.items():
        assert field.description, name
        option = RENAMED.get(name, name.replace("_", "-"))
        if name in ("source", "target"):  # The option --source is that of sources.
            assert name == "source" or option not in options
            continue
        metavar, told = options[option]
        assert metavar == METAVARS.get(option, "")
        assert told.startswith(field.description)
        if option in DEFAULTS:
            assert told.endswith(f"[default: {DEFAULTS[option]}]")
        elif not isinstance(field.default, bool):
            assert "[default" not in told


def test_the_help_is_for_people(shown: str) -> None:
    """The usage has both arguments, nothing is wider than the terminal, no Python shows."""
    assert "run upload [OPTIONS] [SOURCE] TARGET" in shown
    assert "Params without an option" not in shown
    assert max(map(len, shown.splitlines())) <= 100
    assert not re.search(r"PydanticUndefined|default_factory|ByteSize|BYTESIZE|\bNone\b|<", shown)


def test_defaults() -> None:
    """Without options nothing is replaced, everything is compared, and mistakes stop the run."""
    params = UploadParams(source=Path("src"), target="out")
    assert (params.if_exists, params.compare, params.on_invalid) == ("same", "checksum", "fail")
    assert (params.transfers, params.part_concurrency, params.retries) == (32, 4, 8)
    assert params.part_size == 8 * MIB
    assert params.bandwidth is None
    assert params.catalogue is True


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "target: is required"),
        ({"target": "out"}, "give SOURCE, the folder to upload, or --source ROLE=FOLDER"),
        ({"target": " "}, "target: give a target: a folder or a URL such as s3://bucket/path"),
        ({"target": "s4://x"}, "target: no storage is known as s4://; there are a local folder"),
        ({"target": "https://x/y"}, "target: no storage is known as https://"),
        ({"target": "s3://"}, "target: s3:// names no bucket; write s3://BUCKET/PATH"),
        ({"target": "az:///x"}, "target: az:///x names no container"),
        ({"target": "s3://b/../x"}, "'.' and '..' have no meaning in an object storage"),
        ({"limit": 0}, "limit: Input should be greater than or equal to 1"),
        ({"transfers": 0}, "transfers: "),
        ({"transfers": 257}, "transfers: "),
        ({"part_concurrency": 65}, "part_concurrency: "),
        ({"retries": -1}, "retries: "),
        ({"retries": "often"}, "retries: "),
        ({"part_size": "1MB"}, "part_size: a part has 5MiB to 5GiB, such as 16MiB"),
        ({"part_size": "6GiB"}, "part_size: a part has 5MiB to 5GiB, such as 16MiB"),
        ({"bandwidth": "fast"}, "bandwidth: is not a size, such as 500kB or 20MiB"),
        ({"bandwidth": 0}, "bandwidth: "),
        ({"bandwidth": "1,000 MB"}, "bandwidth: is not a size, such as 500kB or 20MiB"),
        ({"exclude": ["a.jpg", "[ab"]}, "exclude: a pattern is wrong: [ab: a [ is never closed"),
        ({"min_size": "2kB", "max_size": 1999}, "--min-size is above --max-size, so that no file"),
        ({"min_age": "1h", "max_age": "59m"}, "--min-age is above --max-age, so that no file fits"),
        ({"metadata_key": "name"}, "--metadata-key needs --metadata FILE"),
        ({"claim_wait": "a while"}, "claim_wait: is not a duration, such as 90s, 10m or 2h"),
        ({"claim_wait": "-1s"}, "claim_wait: is not a duration, such as 90s, 10m or 2h"),
        ({"claim_wait": -1}, "claim_wait: "),
        ({"if_exists": "maybe"}, "if_exists: Input should be 'same', 'skip', 'overwrite' or"),
        ({"compare": "mtime"}, "compare: Input should be 'checksum' or 'size'"),
        ({"on_invalid": "warn"}, "on_invalid: Input should be 'fail' or 'skip'"),
        ({"collection": ""}, "collection: String should have at least 1 character"),
        ({"collection": "x" * 201}, "collection: String should have at most 200 characters"),
        ({"colection": "x"}, "colection: unknown param"),
        ({"sources": {"mask": "m"}, "specification": "s"}, "give either SOURCE or sources"),
    ],
)
def test_wrong_params(given: dict[str, Any], told: str) -> None:
    """What cannot be is refused before anything runs, by name, in words."""
    source = {} if set(given) <= {"target"} and given.get("target") in (None, "out") else "src"
    rest = {"source": source, "target": "out"} if source else {}
    with pytest.raises(ParamsError) as caught:
        DefaultUploadAction({**rest, **given})
    assert told in str(caught.value)
    assert "Value error" not in str(caught.value)


@pytest.mark.parametrize(
    "target", ["s3://key:SECRET@bucket/x", "s3://key:SEC/RET@bucket", "https://u:SECRET@host/x"]
)
def test_secrets_in_a_target(target: str) -> None:
    """A secret in a target is refused, and does not show in the refusal, whatever prints it."""
    with pytest.raises(ParamsError, match="there is a secret in the target") as caught:
        DefaultUploadAction({"source": "src", "target": target})
    error: BaseException | None = caught.value
    while error is not None:
        assert "SEC" not in f"{error}{error!r}"
        error = error.__cause__
    assert "SEC" not in str(caught.value.to_dict())


@pytest.mark.parametrize("target", ["s3://bucket/a@b", "s3://bucket/a:b@c", "C:\\out", "./a@b:c"])
def test_no_secrets_in_a_target(target: str) -> None:
    """A colon and an at sign in a path are no secret."""
    assert UploadParams(source=Path("src"), target=target).target == target


def test_sizes() -> None:
    """Sizes are numbers or have units, decimal and binary."""
    params = UploadParams.model_validate(
        {"source": "src", "target": "out", "part_size": "16MiB", "bandwidth": "10MB"}
    )
    assert (params.part_size, params.bandwidth) == (16 * MIB, 10_000_000)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("10m", 600), ("90s", 90), ("1.5h", 5400), ("1d", 86400), ("5", 5), (0.5, 0.5), ("0", 0)],
)
def test_durations(given: Any, seconds: float) -> None:
    """Durations are seconds or have units, and stay what they are when they are stored."""
    params = UploadParams.model_validate({"source": "src", "target": "out", "claim_wait": given})
    assert params.claim_wait == seconds
    stored = params.model_dump(mode="json")
    assert stored["claim_wait"] == str(params.claim_wait)
    assert UploadParams.model_validate(stored).claim_wait == seconds


def test_sources_by_role() -> None:
    """With sources by role the only positional is the target; they need a specification."""
    sources = {"image": "images", "mask": "masks"}
    for target in ({"source": "out"}, {"target": "out"}):
        made = UploadParams.model_validate({**target, "sources": sources, "specification": "s"})
        assert (made.source, made.target) == (None, "out")
        assert made.sources == {"image": Path("images"), "mask": Path("masks")}
        # As in a context, where they are validated once more.
        assert UploadParams.model_validate(made.model_dump()) == made
    with pytest.raises(ParamsError, match="they need a specification: --spec FILE"):
        DefaultUploadAction({"target": "out", "sources": sources})
    with pytest.raises(ParamsError, match="target: give a target"):
        DefaultUploadAction({"sources": sources, "specification": "s"})


def test_mistakes_on_the_command_line(
    handrail: Callable[..., subprocess.CompletedProcess[str]], here: Path
) -> None:
    """All mistakes are told at once, by the names of options, and nothing has been done."""
    line = ("run", "upload", "src", "--limit", "0", "--part-size", "1MB", "-p", "colour=red")
    done = handrail(*line)
    assert (done.returncode, done.stdout) == (2, "")
    for told in ("TARGET: is required", "--limit: ", "--part-size: a part has 5MiB", "colour: "):
        assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert list(here.iterdir()) == []
