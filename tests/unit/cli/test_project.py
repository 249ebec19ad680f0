"""The command line with a project file: workflows, own steps, defaults, requirements, policies."""

from __future__ import annotations

import json

import pytest
from garden import Garden

pytestmark = pytest.mark.slow  # Hundreds of commands: with one Python.

TOML = """
[local.actions]
copy = "flows.py:nightly"

[local.steps]
make = "flows.py:made"

[actions.copy]
params = { times = 2 }

[workflows.weekly]
extends = "copy"
params = { source = "in" }
insert = [{ step = "make", as = "mark", before = "copy" }]
remove = ["check"]
"""


@pytest.fixture
def project(folder):
    """Return a function that writes the project file."""

    def write(text=TOML):
        (folder / "handrail.toml").write_text(text)

    write()
    return write


@pytest.fixture
def garden(tmp_path, environment):
    """A folder for packs, which the command finds."""
    (tmp_path / "garden").mkdir()
    made = Garden(tmp_path / "garden")
    environment["PYTHONPATH"] = str(made.site)
    return made


def test_a_workflow_is_listed_planned_and_run(handrail, project, folder):
    """A workflow of the file is an action like any other, with its changes and its params."""
    listed = json.loads(handrail("actions", "--json").stdout)["actions"]
    own = {each["name"]: each for each in listed if each["pack"] == "local"}
    assert list(own) == ["copy", "weekly"]
    assert own["weekly"]["does"] == "copy, changed by this project"
    plan = handrail("plan", "weekly", "-p", "source=in")
    assert plan.returncode == 0, plan.stderr
    assert "mark  " in plan.stdout
    assert "before copy, handrail.toml:14" in plan.stdout
    done = handrail("run", "weekly")
    assert done.returncode == 0, done.stderr
    assert "weekly completed" in done.stdout
    assert (folder / "made.txt").exists()
    assert "check" not in done.stderr


@pytest.mark.parametrize("name", ["weekly", "local:weekly"])
def test_a_workflow_has_the_options_of_its_action(handrail, project, name):
    """What is on the command line goes before the params of the file."""
    done = handrail("run", name, "nowhere")
    assert done.returncode == 1
    assert "nowhere" in done.stderr


def test_own_steps_are_listed_without_being_imported(handrail, project, folder):
    """`steps` and `actions` show names and what they do from the source alone."""
    (folder / "flows.py").write_text((folder / "flows.py").read_text() + "\n1 / 0\n")
    done = handrail("steps")
    assert done.returncode == 0, done.stderr
    assert "make" in done.stdout
    assert handrail("actions").returncode == 0
    assert handrail("run", "weekly").returncode == 2


def test_params_of_the_file_are_checked_against_the_model(handrail, project):
    """A param that does not exist or has the wrong type is told with its line."""
    project(
        '[local.actions]\ncopy = "flows.py:nightly"\n[actions.copy.params]\ntims = 3\nfail = 7\n'
    )
    done = handrail("run", "copy", "in")
    assert done.returncode == 2
    assert "handrail.toml:4: actions.copy.params.tims: unknown param; did you mean times?" in (
        done.stderr
    )
    assert "handrail.toml:5: actions.copy.params.fail:" in done.stderr


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (
            '[workflows.a]\nextends = "nohting"\n',
            "handrail.toml:2: the workflow a extends nohting: there is no action 'nohting'",
        ),
        (
            '[workflows.a]\nextends = "b"\n[workflows.b]\nextends = "a"\n',
            "handrail.toml:1: the workflow a is made of itself",
        ),
    ],
)
def test_a_workflow_of_nothing(handrail, project, toml, said):
    """A workflow that extends nothing, or itself, is told with its line."""
    project(toml)
    assert handrail("actions").returncode == 0
    done = handrail("run", "a")
    assert done.returncode == 2
    assert said in done.stderr


def test_a_workflow_of_a_workflow(handrail, project):
    """A workflow that extends another one has the changes of both."""
    project(TOML + '\n[workflows.monthly]\nextends = "weekly"\nremove = ["find"]\n')
    done = handrail("plan", "monthly", "in", "--json")
    assert [each["name"] for each in json.loads(done.stdout)["steps"]] == ["mark", "copy"]


def test_a_local_action_that_is_none(handrail, project):
    """A name under [local.actions] that leads to a step is told, with how to make an action."""
    project('[local.actions]\na = "flows.py:made"\n')
    done = handrail("run", "a")
    assert done.returncode == 2
    assert "flows.py:made, named in [local.actions], is not an action" in done.stderr
    assert "action('nightly', [made])" in done.stderr


def test_a_workflow_of_a_file(handrail, project, folder):
    """A workflow may extend an action in a file, which is looked for from the project's folder."""
    project('[workflows.a]\nextends = "flows.py:nightly"\nremove = ["check"]\n')
    (folder / "deeper").mkdir()
    done = handrail("plan", "a", "in", "--json", cwd=folder / "deeper")
    assert [each["name"] for each in json.loads(done.stdout)["steps"]] == ["find", "copy"]


def test_a_file_that_cannot_be_read_is_told_first(handrail, project):
    """With a damaged project file an action of it is not just unknown."""
    project("[local.actions\n")
    done = handrail("run", "copy")
    assert done.returncode == 2
    assert "is not TOML" in done.stderr


# What is required

SCAN = """
    from pydantic import BaseModel
    from handrail import PackInfo, hookimpl
    from acme_scan.steps import ScanFiles

    class Settings(BaseModel):
        where: str = "copy"

    @hookimpl
    def pack_info():
        return PackInfo(settings=Settings)

    @hookimpl
    def insert_before(action, step, settings):
        if step.name == settings.where:
            return ScanFiles()
"""
STEPS = """
    from handrail import BaseStep, StepResult

    class ScanFiles(BaseStep):
        '''Refuse infected files.'''

        name = "scan_files"
        progress_weight = 1.0

        def execute(self, context):
            return StepResult()
"""
POLICY = """
[required]
packs = ["acme-scan>=1.4,<2"]
steps = [{ step = "acme-scan:scan_files", before = "copy", in = "*" }]
"""


@pytest.fixture
def company(garden):
    """A pack that scans, and a policy that requires it."""
    garden.plant(
        "acme-scan",
        points={
            "packs": {"acme_scan": "acme_scan.hooks"},
            "steps": {"scan_files": "acme_scan.steps:ScanFiles"},
        },
        modules={
            "acme_scan/__init__.py": "",
            "acme_scan/hooks.py": SCAN,
            "acme_scan/steps.py": STEPS,
        },
    )
    return garden.plant(
        "acme-policy",
        "3.1.0",
        points={"policy": {"acme-policy": "acme_policy"}},
        modules={"acme_policy/__init__.py": "", "acme_policy/handrail-policy.toml": POLICY},
    )


def test_a_policy_shows(handrail, project, company):
    """The listing, the plan and the settings name the policy and what it requires."""
    wide = {"HANDRAIL_POLICY": "acme-policy>=3", "COLUMNS": "120"}
    rows = handrail("packs", **wide).stdout.splitlines()
    assert rows[1].split() == [
        *("acme-policy", "policy", "3.1.0", "-", "-", "-"),
        "HANDRAIL_POLICY=acme-policy>=3",
    ]
    assert rows[2].startswith("acme-scan")
    assert rows[2].split()[1] == "required"
    assert rows[2].endswith("acme-policy 3.1.0, policy line 3")
    assert "scan_files" in handrail("steps").stdout
    plan = handrail("plan", "copy", "in").stdout.splitlines()
    assert plan[0].endswith("· policy acme-policy 3.1.0")
    (scan,) = [line for line in plan if "scan_files  " in line]
    assert scan.endswith("required, final")
    assert "acme-policy 3.1.0, policy line 3" in handrail("config").stdout


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (("--no-pack", "acme-scan"), {}),
        (("--only-packs", "acme-policy"), {}),
        (("--no-pack=acme-policy",), {}),
        ((), {"HANDRAIL_NO_PACKS": "acme-scan"}),
        ((), {"HANDRAIL_ONLY_PACKS": ""}),
        ((), {"HANDRAIL_POLICY": "acme-policy>=4"}),
    ],
    ids=str,
)
@pytest.mark.parametrize("command", ["plan", "run"])
def test_nothing_lifts_a_policy(handrail, project, company, folder, arguments, variables, command):
    """No flag and no variable gets a run past it: exit code 4, and nothing was done."""
    done = handrail(command, "copy", "in", *arguments, **variables)
    assert done.returncode == 4, done.stderr
    assert "required" in done.stderr
    assert not (folder / "out").exists()
    assert handrail("packs", *arguments, **variables).returncode == 0
    assert handrail("config", *arguments, **variables).returncode == 4
    assert handrail("doctor", *arguments, **variables).returncode == 4


@pytest.mark.parametrize(
    "arguments", [("--skip", "scan_files"), ("--only", "copy"), ("--from", "copy")], ids=str
)
def test_no_selection_of_steps_lifts_a_policy(handrail, project, company, folder, arguments):
    """A part of the plan without the required step is not run, also not as a dry run."""
    for more in ((), ("--dry-run",)):
        done = handrail("run", "copy", "in", *arguments, *more)
        assert done.returncode == 3, done.stderr
        assert "required step missing" in done.stderr
    assert not (folder / "out").exists()


def test_settings_of_a_pack_on_the_command_line(handrail, project, company):
    """`-p PACK.KEY=VALUE` and a variable reach the pack, and cannot move what is required."""
    assert handrail("run", "copy", "in", "-p", "acme-scan.where=copy").returncode == 0
    moved = handrail("run", "copy", "in", "-p", "acme-scan.where=nowhere")
    assert moved.returncode == 3
    assert "acme-scan 1.4.0 is on, but does not add it" in moved.stderr
    assert handrail("run", "copy", "in", HANDRAIL_ACME_SCAN_WHERE="nowhere").returncode == 3
    none = handrail("run", "copy", "in", "-p", "acme-policy.where=copy")
    assert (none.returncode, "acme-policy 3.1.0 has no settings" in none.stderr) == (2, True)
    wrong = handrail("run", "copy", "in", "-p", "acme-scan.wher=x")
    assert wrong.returncode == 2
    assert "did you mean where?" in wrong.stderr


@pytest.mark.parametrize("who", ["project", "policy"])
def test_whoever_wants_runs_locked_gets_them_locked(handrail, project, garden, folder, who):
    """Without a lock, with another plan than it has, and with --no-lock nothing is run."""
    if who == "project":
        project("locked = true\n" + TOML)
        said = "handrail.toml:1"
    else:
        garden.plant(
            "acme-policy",
            "3.1.0",
            points={"policy": {"acme-policy": "acme_policy"}},
            modules={
                "acme_policy/__init__.py": "",
                "acme_policy/handrail-policy.toml": "locked = true\n",
            },
        )
        said = "acme-policy 3.1.0, handrail-policy.toml:1"
    none = handrail("run", "weekly")
    assert none.returncode == 2
    assert f"{said} wants every run locked, and there is no handrail.lock" in none.stderr
    assert handrail("lock", "weekly").returncode == 0
    past = handrail("run", "weekly", "--no-lock")
    assert past.returncode == 2
    assert f"{said} wants every run locked, and --no-lock is given" in past.stderr
    assert not (folder / "out").exists()
    assert handrail("run", "weekly").returncode == 0


def test_a_lock_lifts_no_requirement(handrail, project, company):
    """A plan that is just as the lock has it is refused where it lacks what is required."""
    policy = company.modules[1]
    policy.write_text("")
    assert handrail("lock", "copy", "--no-pack", "acme-scan").returncode == 0
    assert handrail("run", "copy", "in", "--no-pack", "acme-scan").returncode == 0
    policy.write_text(POLICY)
    assert handrail("run", "copy", "in", "--no-pack", "acme-scan").returncode == 4
    policy.write_text(POLICY.replace('packs = ["acme-scan>=1.4,<2"]', ""))
    assert handrail("run", "copy", "in", "--no-pack", "acme-scan").returncode == 3


# Workflows of steps

GROUPS = """
[local.steps]
make = "flows.py:made"

[workflows.nightly]
steps = [
  { step = "make", as = "fetch" },
  { parallel = "media", concurrency = 1, lanes = [
    [{ step = "make", as = "resize" }, { step = "make", as = "watermark" }],
    { step = "make", as = "transcode" },
  ] },
  { step = "make", as = "publish" },
]
"""


def test_a_workflow_of_steps_is_listed_and_planned(handrail, project):
    """With its groups, under the name that it has in the file."""
    project(GROUPS)
    listed = json.loads(handrail("actions", "--json").stdout)["actions"]
    assert "steps of this project" in [each["does"] for each in listed if each["name"] == "nightly"]
    plan = json.loads(handrail("plan", "nightly", "--json").stdout)
    assert plan["groups"] == [{"name": "media", "concurrency": 1}]
    assert [(each["name"], each.get("lane")) for each in plan["steps"]] == [
        ("fetch", None),
        ("resize", 0),
        ("watermark", 0),
        ("transcode", 1),
        ("publish", None),
    ]


def test_the_table_of_a_plan_shows_lanes(handrail, project):
    """The heading says how many there are, and how many run at a time."""
    project(GROUPS)
    lines = handrail("plan", "nightly").stdout.splitlines()[2:8]
    assert lines[1].strip().startswith("┌ media")
    assert lines[1].endswith("2 lanes, 1 at a time")
    assert [line.split()[1:4] for line in (lines[2], lines[3], lines[4])] == [
        ["│", "1", "resize"],
        ["│", "1", "watermark"],
        ["│", "2", "transcode"],
    ]


def test_groups_are_locked(handrail, project, folder):
    """A step in another lane is drift; a plan without groups has a lock without them."""
    project(GROUPS)
    assert handrail("lock", "nightly").returncode == 0
    assert '{ name = "transcode", group = "media", lane = 1 },' in (
        (folder / "handrail.lock").read_text()
    )
    assert handrail("lock", "--check").returncode == 0
    flat = GROUPS.replace("[{ step", "{ step").replace('"watermark" }]', '"watermark" }')
    project(flat)
    done = handrail("lock", "--check")
    assert done.returncode == 3
    told = done.stdout + done.stderr
    assert "watermark is in lane 2 of media, and was in lane 1 of media" in told


def test_the_explanation_of_a_step_in_a_group_names_its_lane(handrail, project):
    """And that of a group names its steps."""
    project(GROUPS)
    first = handrail("plan", "nightly", "--explain", "watermark").stdout.splitlines()[0]
    assert "step 3 of 5 of nightly · lane 1 of media" in first
    first = handrail("plan", "nightly", "--explain", "media").stdout.splitlines()[0]
    assert "media · group of steps 2 to 4 of 5 of nightly" in first
