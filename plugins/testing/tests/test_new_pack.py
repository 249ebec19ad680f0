"""`handrail new pack`: a pack to begin with, and nothing of yours overwritten."""

from __future__ import annotations

import ast
import json
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import handrail
import handrail_testing
from handrail import ExitCode
from handrail_testing import FakePacks
from handrail_testing.scaffold import new_pack, write

SIX = {
    "README.md",
    "pyproject.toml",
    "src/handrail_webp/__init__.py",
    "src/handrail_webp/hooks.py",
    "src/handrail_webp/steps.py",
    "tests/test_pack.py",
}


def test_it_makes_six_files_and_says_what_comes_next(handrail, folder: Path) -> None:
    done = handrail("new", "pack", "webp")
    assert done.returncode == ExitCode.DONE, done.stderr
    root = folder / "handrail-webp"
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert files == {*SIX, "src/handrail_webp/py.typed"}
    assert "the step note_webp stands in upload, before upload_files" in done.stdout
    following = ("cd handrail-webp", "pip install -e . handrail-testing", "python -m pytest")
    assert "\n".join(f"  {line}" for line in following) in done.stdout


def test_full_adds_three(handrail, folder: Path) -> None:
    told = json.loads(handrail("new", "pack", "webp", "--full", "--json").stdout)
    assert set(told["files"]) - SIX - {"src/handrail_webp/py.typed"} == {
        ".github/workflows/ci.yml",
        "CHANGELOG.md",
        "noxfile.py",
    }
    workflow = (folder / "handrail-webp/.github/workflows/ci.yml").read_text()
    assert "python-version: ${{ matrix.python }}" in workflow


def test_nothing_is_overwritten(handrail, folder: Path) -> None:
    (folder / "handrail-webp").mkdir()
    (folder / "handrail-webp" / "mine").write_text("x")
    done = handrail("new", "pack", "webp")
    assert done.returncode == ExitCode.USAGE
    assert "is there already, and nothing is overwritten" in done.stderr
    assert [path.name for path in (folder / "handrail-webp").iterdir()] == ["mine"]


def test_an_empty_folder_may_be_there(handrail, folder: Path) -> None:
    (folder / "handrail-webp").mkdir()
    assert handrail("new", "pack", "webp").returncode == ExitCode.DONE


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        write({"a": "", "a/b": ""}, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("Acme_Webp",), "how about acme-webp?"),
        (("9lives",), "cannot be called '9lives'"),
        (("../x",), "cannot be called '../x'"),
        (("handrail",), "that is the core"),
        (("webp", "--step", "To-Webp"), "a verb in lower case"),
        (("webp", "--step", "import"), "cannot be called 'import'"),
        (("webp", "--before", "a", "--after", "b"), "not both"),
        (("webp", "--before", "note_webp"), "that is the one it stands by"),
        (("webp", "--action", 'a"b'), "no action can be called"),
        (("webp", "--after", "a b"), "no step can be called"),
    ],
)
def test_names_that_cannot_be_used_are_told(handrail, folder: Path, words, message) -> None:
    before = sorted(folder.iterdir())
    done = handrail("new", "pack", *words)
    assert done.returncode == ExitCode.USAGE
    assert message in done.stderr
    assert sorted(folder.iterdir()) == before


MIRROR = """
    from handrail import action, step

    @step
    def copy_files(context): ...

    mirror = action("mirror", [copy_files])
"""


@pytest.fixture
def mirror(tmp_path: Path):
    """A folder in which a pack with an action is installed."""
    with FakePacks(tmp_path / "site") as packs:
        packs.add(
            "acme-mirror",
            actions={"mirror": "acme_mirror.flows:mirror"},
            modules={"acme_mirror/flows.py": MIRROR},
        )
        yield str(packs.folder)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (("--before", "copy_file"), "mirror has no step 'copy_file'; did you mean copy_files?"),
        (("--after", "send"), "mirror has no step 'send'; its steps are: copy_files"),
    ],
)
def test_a_step_that_the_installed_action_does_not_have_is_told(
    handrail, folder: Path, mirror: str, place, message
) -> None:
    """Its hook would match nothing, and its tests bring a step of that name."""
    done = handrail("new", "pack", "acme-scan", "--action", "mirror", *place, PYTHONPATH=mirror)
    assert done.returncode == ExitCode.USAGE
    assert message in done.stderr
    assert not (folder / "acme-scan").exists()
    fits = ("--action", "mirror", "--before", "copy_files")
    done = handrail("new", "pack", "acme-scan", *fits, PYTHONPATH=mirror)
    assert (done.returncode, "not checked" in done.stdout) == (ExitCode.DONE, False)


def test_a_misspelt_action_is_told_and_another_one_is_not_checked(handrail, mirror: str) -> None:
    done = handrail("new", "pack", "acme-a", "--action", "miror", PYTHONPATH=mirror)
    assert done.returncode == ExitCode.USAGE
    assert "no action is called 'miror'; did you mean mirror?" in done.stderr
    place = ("--action", "elsewhere", "--before", "send")
    done = handrail("new", "pack", "acme-b", *place, "--json", PYTHONPATH=mirror)
    reason = "the action elsewhere is not installed here"
    assert json.loads(done.stdout)["unchecked"] == reason
    done = handrail("new", "pack", "acme-c", *place, PYTHONPATH=mirror)
    assert f"  not checked: {reason}\n" in done.stdout


def test_the_place_can_be_chosen() -> None:
    files = new_pack("acme-scan", action="train", after="fit", step="scan_model").files()
    assert 'name = "acme-scan"' in files["pyproject.toml"]
    hooks = files["src/acme_scan/hooks.py"]
    assert "def insert_after" in hooks
    assert 'if "train" in action.lineage and step.name == "fit":' in hooks
    assert 'ran("fit", "scan_model")' in files["tests/test_pack.py"]
    at_end = new_pack("acme-scan", action="train").files()["src/acme_scan/hooks.py"]
    assert "registry.register(NoteScan())" in at_end


def test_it_asks_for_this_core_and_its_tests_for_this_kit() -> None:
    file = tomllib.loads(new_pack("webp").files()["pyproject.toml"])
    (core,) = file["project"]["dependencies"]
    kit, *others = file["dependency-groups"]["test"]
    for asked, package in ((core, handrail), (kit, handrail_testing)):
        minor = package.__version__.split(".")[1]
        name = package.__name__.replace("_", "-")
        assert asked == f"{name}>=0.{minor},<0.{int(minor) + 1}"
    assert [each.partition(">")[0] for each in others] == ["pytest"]


@pytest.mark.parametrize("step", ["none", "path", "base_step", "step_result"])
def test_the_class_of_the_step_hides_nothing(step: str) -> None:
    made = new_pack("webp", step=step)
    assert made.class_name.endswith("Step")
    assert made.class_name not in ("BaseStep", "StepResult")
    for name, text in made.files().items():
        if name.endswith(".py"):
            ast.parse(text)


words = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)


@given(
    name=st.lists(words, min_size=1, max_size=3).map("-".join),
    step=st.lists(words, min_size=1, max_size=3).map("_".join),
    anchor=st.none() | words,
    full=st.booleans(),
)
def test_whatever_the_names_all_of_it_is_python_and_toml(name, step, anchor, full) -> None:
    try:
        made = new_pack(name, step=step, action="upload", before=anchor)
    except ValueError:
        return  # A keyword, or a name that is taken; that is told.
    files = made.files(full=full)
    assert made.package.isidentifier()
    assert made.package not in sys.stdlib_module_names
    for file, text in files.items():
        assert "$" not in text.replace("${{", "")
        if file.endswith(".py"):
            ast.parse(text)
        elif file.endswith(".toml"):
            assert tomllib.loads(text)["project"]["name"] == made.distribution
