"""Settings come from flags, variables and the project file, and each knows its source."""

from __future__ import annotations

import pytest

from handrail.builtin.cli.commands.config import rows_of
from handrail.builtin.project.configuration import read_settings
from handrail.builtin.project.project import find_project
from handrail.errors import ExitCode, SettingsError
from handrail.frozen import as_json
from handrail.packs.configuration import Flags
from handrail.packs.record import settings_error


def read(folder, toml=None, name="handrail.toml", variables=None, **flags):
    if toml is not None:
        (folder / name).write_text(toml)
    return read_settings(folder, variables or {}, Flags(**flags))


def messages(folder, toml, **options):
    return [problem.message for problem in read(folder, toml, **options)[1]]


# The project


def test_nearest_folder_with_a_file(tmp_path):
    """The project is the nearest folder upwards with handrail.toml or [tool.handrail]."""
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find_project(deep).folder == deep
    assert find_project(deep).file is None
    (tmp_path / "pyproject.toml").write_text("[tool.handrail.packs]\n")
    (tmp_path / "a" / "pyproject.toml").write_text(
        '[project]\ndependencies = ["handrail"]\n[tool.x]'
    )
    assert find_project(deep).file == tmp_path / "pyproject.toml"
    (tmp_path / "a" / "handrail.toml").write_text("")
    assert find_project(deep).file == tmp_path / "a" / "handrail.toml"


def test_both_files_are_an_error(tmp_path):
    """Settings in both files of one folder are an error for runs, and a problem for listings."""
    (tmp_path / "handrail.toml").write_text("")
    (tmp_path / "pyproject.toml").write_text("[tool.handrail]\n")
    with pytest.raises(SettingsError, match=r"has settings in both handrail.toml and") as error:
        find_project(tmp_path)
    assert error.value.exit_code is ExitCode.USAGE
    assert error.value.to_dict()["problems"] == [as_json(error.value.problems[0])]
    settings, problems = read(tmp_path)
    assert [problem.code for problem in problems] == ["two-settings-files"]
    assert (settings.project.folder, settings.project.file) == (tmp_path, None)


def test_a_project_that_is_not_to_be_trusted_is_a_problem(tmp_path, monkeypatch):
    """It is none for listings, and what is in it is not looked at, however late that shows."""
    deep = tmp_path / "deep"
    deep.mkdir()
    (tmp_path / "handrail.toml").write_text("[unknown]\n")
    (tmp_path / "handrail.toml").chmod(0o666)
    with pytest.raises(SettingsError, match="everyone may write"):
        find_project(deep)
    settings, problems = read(deep)
    assert [problem.code for problem in problems] == ["foreign-project"]
    assert (settings.project.folder, settings.project.file) == (deep, None)
    monkeypatch.setattr("handrail.builtin.project.project.distrust", lambda path: None)
    settings, problems = read(deep)
    assert [problem.code for problem in problems] == ["foreign-project"]


@pytest.mark.parametrize("text", ["[tool.handrail\n", "[tool.handrail]\nx = \n"])
def test_damaged_pyproject_that_means_us(tmp_path, text):
    """A pyproject.toml that seems to have our table but is no TOML is told, not passed over."""
    _, (problem,) = read(tmp_path, text, "pyproject.toml")
    assert problem.code == "settings-syntax"
    assert problem.message.startswith("pyproject.toml:")


def test_damaged_pyproject_of_others(tmp_path):
    """A pyproject.toml that is no TOML and does not mention us is not our business."""
    assert read(tmp_path, "[tool.ruff\n", "pyproject.toml")[1] == ()


# Values and sources


def test_everything_knows_its_source(tmp_path):
    """Each value is listed with the flag, the variable, or the file and line that it is from."""
    toml = """
[packs]
disable = [
    "acme-webp",
    "acme-old",
]
only = ["acme-scan"]

[packs.Acme_Scan]
level = 3
api_key = "hush"
nested = { a = 1, password = "hush" }

[grants]
acme-turbo = ["replace  Handrail_Upload : upload_files"]
"""
    settings, problems = read(
        tmp_path,
        toml,
        variables={"HANDRAIL_NO_PACKS": "a, b,", "HANDRAIL_ONLY_PACKS": "c"},
        no_packs=("d",),
    )
    assert problems == ()
    assert rows_of(settings) == [
        ("packs.disable", ["d"], "--no-pack"),
        ("packs.disable", ["a", "b"], "HANDRAIL_NO_PACKS"),
        ("packs.disable", ["acme-webp"], "handrail.toml:4"),
        ("packs.disable", ["acme-old"], "handrail.toml:5"),
        ("packs.only", ["c"], "HANDRAIL_ONLY_PACKS"),
        ("packs.acme-scan.level", 3, "handrail.toml:10"),
        ("packs.acme-scan.api_key", "**********", "handrail.toml:11"),
        ("packs.acme-scan.nested.a", 1, "handrail.toml:12"),
        ("packs.acme-scan.nested.password", "**********", "handrail.toml:12"),
        (
            "grants.acme-turbo",
            "replace handrail-upload:upload_files",
            "handrail.toml:15",
        ),
        ("project.name", None, "default"),
        ("locked", False, "default"),
        ("executor.url", "processes", "default"),
        ("strict_results", False, "default"),
    ]


def test_defaults(tmp_path):
    """Without any settings there are defaults, and they say so."""
    settings, problems = read_settings(tmp_path, {})
    assert not problems
    assert rows_of(settings) == [
        ("packs.disable", [], "default"),
        ("packs.only", None, "default"),
        ("project.name", None, "default"),
        ("locked", False, "default"),
        ("executor.url", "processes", "default"),
        ("strict_results", False, "default"),
    ]


def test_pyproject(tmp_path):
    """The same settings can be in pyproject.toml, with the lines of that file."""
    toml = '[project]\nname = "x"\n\n[tool.handrail.packs]\ndisable = ["acme-webp"]\n'
    settings, problems = read(tmp_path, toml, "pyproject.toml")
    assert problems == ()
    assert rows_of(settings)[0] == ("packs.disable", ["acme-webp"], "pyproject.toml:5")
    assert messages(tmp_path, "[tool.handrail]\npakcs = 1\n", name="pyproject.toml") == [
        "pyproject.toml:2: there is no setting tool.handrail.pakcs"
    ]


# Mistakes


def test_all_mistakes_at_once(tmp_path):
    """Unknown names and wrong types are all told at once, each with line and hint."""
    toml = """
packs.disable = "acme-webp"
packs.only = ["a", 3, ""]
packs.level = 3
[grants]
acme-turbo = ["replace upload_files", "drop a:b"]
acme-x = true
[pakcs]
[other]
"""
    _, problems = read(tmp_path, toml)
    assert [(problem.message, problem.ways_out) for problem in problems] == [
        ("handrail.toml:2: packs.disable has to be a list of names", ()),
        ("handrail.toml:3: packs.only.1 has to be text", ()),
        ("handrail.toml:3: packs.only.2 has to be text", ()),
        ("handrail.toml:4: packs.level has to be a table", ()),
        ("handrail.toml:7: grants.acme-x has to be a list of texts", ()),
        ("handrail.toml:8: there is no setting pakcs", ("did you mean packs?",)),
        (
            "handrail.toml:9: there is no setting other",
            (
                "known here: actions, executor, grants, journal, local, locked, packs, project, "
                "required, strict_results, workflows",
            ),
        ),
        (
            "handrail.toml:6: grants.acme-turbo: 'replace upload_files' is not a grant",
            ('write "replace PACK:STEP", "remove PACK:STEP" or "change PACK:STEP"',),
        ),
        (
            "handrail.toml:6: grants.acme-turbo: 'drop a:b' is not a grant",
            ('write "replace PACK:STEP", "remove PACK:STEP" or "change PACK:STEP"',),
        ),
    ]
    error = settings_error(problems)
    assert str(error) == "9 settings cannot be used"
    assert error.problems == problems


def test_one_mistake(tmp_path):
    """A section of the wrong type is told with the right one, also as a note of the error."""
    (tmp_path / "handrail.toml").write_text("packs = 1\n")
    error = settings_error(read_settings(tmp_path, {})[1])
    assert str(error) == "1 setting cannot be used"
    message = "handrail.toml:1: packs has to be a table"
    assert error.__notes__ == [message]


def test_pack_twice(tmp_path):
    """One pack under two spellings is told."""
    assert messages(tmp_path, "[packs.acme-scan]\n[packs.Acme_Scan]\n") == [
        "handrail.toml:2: [packs.Acme_Scan] is there twice, in different spellings"
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [("[packs\n", 1), ("\n\nx = = 3\n", 3), ('[packs]\ndisable = ["a",\n', 2), ("x = 'a\n", 1)],
)
def test_syntax_errors_have_a_line(tmp_path, text, line):
    """What is no TOML is told with the line where reading stopped."""
    (message,) = messages(tmp_path, text)
    assert message.startswith(f"handrail.toml:{line}: is not TOML: ")


def test_not_utf8(tmp_path):
    """A file that is not UTF-8 is told with its line."""
    (tmp_path / "handrail.toml").write_bytes(b"[packs]\n# caf\xe9\n")
    assert messages(tmp_path, None) == ["handrail.toml:2: is not UTF-8"]


def test_unreadable_file(tmp_path):
    """A project file that cannot be read, such as a folder, is told."""
    (tmp_path / "handrail.toml").mkdir()
    (message,) = messages(tmp_path, None)
    assert message.startswith("handrail.toml: cannot be read: ")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("HANDRAIL_NO_PACK", "did you mean HANDRAIL_NO_PACKS?"),
        ("HANDRAIL_ONLY_PACK", "did you mean HANDRAIL_ONLY_PACKS?"),
    ],
)
def test_misspelt_variables(tmp_path, name, hint):
    """A variable that looks like a misspelt one of ours is told: it would switch off nothing."""
    _, (problem,) = read(tmp_path, variables={name: "x"})
    assert problem.message == f"{name}: there is no such variable"
    assert problem.ways_out == (hint,)


@pytest.mark.parametrize("name", ["HANDRAIL_TOKEN", "HANDRAIL_UPLOAD_KEY", "PATH"])
def test_other_variables(tmp_path, name):
    """Variables of others are nobody's business here."""
    assert read(tmp_path, variables={name: "x"})[1] == ()


def test_the_variable_names_the_executor_of_every_call(tmp_path):
    """It stands above the project, and each knows its source."""
    (tmp_path / "handrail.toml").write_text('[executor]\nurl = "threads:8"\n')
    settings, problems = read_settings(tmp_path, {})
    assert not problems
    assert (settings.executor.value, settings.executor.source) == ("threads:8", "handrail.toml:2")
    settings, _ = read_settings(tmp_path, {"HANDRAIL_EXECUTOR": "processes:3"})
    assert (settings.executor.value, settings.executor.source) == (
        "processes:3",
        "HANDRAIL_EXECUTOR",
    )
