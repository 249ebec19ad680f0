"""A chain on the command line: its params, plan, run, record and undo."""

from __future__ import annotations

import json
import sys
import uuid

import pytest

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

ACTIONS = '''
from pathlib import Path
from typing import Annotated, TypedDict
from pydantic import BaseModel
from handrail import Argument, BaseAction, BaseStep, StepResult, chain, step

class Params(BaseModel):
    """What to pack."""
    source: Annotated[Path, Argument()]
    level: int = 1

class Parcels(TypedDict, total=False):
    parcel: str
    summary: str
    next: dict[str, str]

@step
def wrap(context):
    """Put everything into one parcel."""
    context.record_rollback("made", "parcel.txt")
    names = sorted(each.name for each in context.options.source.iterdir())
    Path("parcel.txt").write_text(",".join(names))
    return {"summary": "one parcel"}

@wrap.rollback
def unwrap(context, result):
    for name in result.rollback_data.get("made", ()):
        Path(name).unlink(missing_ok=True)

class Bag(BaseAction[Params]):
    action_name = "bag"

    def setup_steps(self, registry):
        registry.register(wrap)

    def check_inputs(self):
        if not self.params.source.is_dir():
            yield "source", f"there is no folder {self.params.source}"

    def result(self, context) -> Parcels:
        parcel = {"parcel": "parcel.txt"} if Path("parcel.txt").exists() else {}
        return {**parcel, "summary": "packed", "next": {"look": "cat parcel.txt"}}

class SendParams(BaseModel):
    """Where to send it."""
    parcel: str
    to: Annotated[str, Argument()]
    times: int = 1
    fail: bool = False

@step(effects=False)
def weigh(context):
    """Weigh it."""
    return {"weight": len(context.options.parcel)}

@step
def post(context):
    """Post it."""
    context.record_rollback("sent", context.options.to)
    Path(context.options.to).write_text(context.options.parcel)
    if context.options.fail:
        raise ValueError("told to fail")

@post.rollback
def unpost(context, result):
    for name in result.rollback_data.get("sent", ()):
        Path(name).unlink(missing_ok=True)

class Close(BaseStep):
    """Close the office."""
    name, progress_weight, always_run = "close", 0.1, True

    def execute(self, context):
        return StepResult()

class Send(BaseAction[SendParams]):
    action_name = "send"

    def setup_steps(self, registry):
        registry.register(weigh)
        registry.register(post)
        registry.register(Close())

    def result(self, context):
        return {"summary": f"sent to {context.options.to}", "next": {"check": "cat there"}}

@step
def stamp(context):
    """Stamp it."""
    Path("stamp").write_text(context.options.send.to)

@stamp.rollback
def unstamp(context, result):
    Path("stamp").unlink(missing_ok=True)

ship = chain("ship", [Bag, Send], inputs={"send.parcel": "bag.parcel"})
'''

PROJECT = """
[local.actions]
bag = "ship.py:Bag"
send = "ship.py:Send"

[local.steps]
stamp = "ship.py:stamp"

[workflows.shipping]
chain = ["bag", "send"]
inputs.send.parcel = "bag.parcel"
"""
RUN = ("run", "shipping", "--bag-source", "in", "--send-to", "there")


@pytest.fixture
def project(folder):
    """Return the folder of a project with two actions and a chain of them."""
    (folder / "ship.py").write_text(ACTIONS)
    (folder / "handrail.toml").write_text(PROJECT)
    return folder


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def test_needed_params_are_options_with_the_name_of_their_action(project, call):
    told = call("run", "shipping", "--help").out
    assert "--bag-source PATH" in told
    assert "--send-to TEXT" in told
    assert "--send-times" not in told
    assert "--send-parcel" not in told
    assert "send.times" in told.partition("Params without an option")[2]
    assert "send.parcel" not in told
    assert "Run bag and send as one" in told


def test_it_runs_and_tells_the_result_of_each_action(project, call):
    done = call(*RUN)
    assert done.code == 0, done.err
    assert done.out.splitlines()[:2] == ["bag   packed", "send  sent to there"]
    assert "shipping completed" in done.out
    assert [line.split()[0] for line in done.out.splitlines()[-4:]] == [
        "see",
        "look",
        "check",
        "undo",
    ]
    assert (project / "there").read_text() == "parcel.txt"


def test_the_same_chain_in_python_is_found_by_its_file(project, call):
    done = call("run", "ship.py:ship", *RUN[2:])
    assert done.code == 0, done.err
    assert call("rollback", "1", "--yes").code == 0
    assert not (project / "parcel.txt").exists()


def test_each_action_is_a_run_of_its_own_that_lists_do_not_have(project, call):
    call(*RUN)
    call(*RUN, "-p", "send.times=2")
    assert [each["id"] for each in json.loads(call("runs", "--json").out)["runs"]] == [4, 1]
    shown = json.loads(call("show", "3", "--json").out)["run"]
    assert (shown["action"], shown["state"]) == ("send", "completed")
    assert shown["params"]["values"]["parcel"] == "parcel.txt"


def test_the_undo_of_one_action_alone_names_the_chain(project, call):
    assert call(*RUN).code == 0
    refused = call("rollback", "2", "--yes")
    assert (refused.code, "run 3 has taken what it returned" in refused.err) == (5, True)
    assert call("rollback", "3", "--dry-run").lines[0].endswith("· part of run 1")
    assert call("rollback", "3", "--yes").code == 0
    assert not (project / "there").exists()
    assert call("rollback", "1", "--yes").code == 0
    assert not (project / "parcel.txt").exists()


@pytest.mark.parametrize("named", [False, True])
def test_the_undo_of_one_action_is_that_of_its_step(project, call, named):
    """Whether nothing else has the name of the action, or another action has it."""
    (project / "handrail.toml").write_text("")
    assert call("run", "ship.py:ship", *RUN[2:]).code == 0
    if named:
        code = "from handrail import action, step\n@step\ndef other(context): ...\n"
        (project / "other.py").write_text(f"{code}send = action('send', [other])\n")
        (project / "handrail.toml").write_text('[local.actions]\nsend = "other.py:send"\n')
    done = call("rollback", "3", "--yes")
    assert done.code == 0, done.err
    assert not (project / "there").exists()


def _file_of(module):
    return getattr(module, "__file__", None) or ""


def test_a_part_whose_step_is_gone_is_refused(project, call):
    (project / "handrail.toml").write_text("")
    assert call("run", "ship.py:ship", *RUN[2:]).code == 0
    text = (project / "ship.py").read_text().partition("ship = chain")[0]
    (project / "ship.py").write_text(f"{text}ship = chain('ship', [Bag])\n")
    ours = [name for name, module in sys.modules.items() if _file_of(module).endswith("ship.py")]
    for name in ours:  # As in another process.
        del sys.modules[name]
    refused = call("rollback", "3", "--yes")
    assert (refused.code, "send, which has made run 3" in refused.err) == (3, True), refused.err
    assert call("rollback", "3", "--yes", "--action", "ship.py:Send").code == 0
    assert not (project / "there").exists()


def test_what_closes_the_actions_has_no_line(project, call):
    assert "close" not in call(*RUN).err


def test_an_action_with_nothing_to_tell_has_no_line_at_the_end(folder, call):
    code = "from handrail import action, chain, step\n@step\ndef one(context): ...\n"
    (folder / "bare.py").write_text(f"{code}both = chain('both', [action('bare', [one])])\n")
    assert call("run", "bare.py:both").out.splitlines()[0].startswith("both completed")


def test_one_undo_takes_back_all_actions(project, call):
    call(*RUN)
    seen = call("rollback", "1", "--dry-run")
    assert [line.split()[1] for line in seen.out.splitlines() if "↶" in line] == [
        "send.post",
        "bag.wrap",
    ]
    assert call("rollback", "1", "--yes").code == 0
    assert {path.name for path in project.iterdir()} & {"parcel.txt", "there"} == set()


def test_other_params_are_given_by_pairs_or_in_a_file(project, call):
    (project / "more.toml").write_text('[send]\nto = "elsewhere"\n')
    done = call(
        "run", "shipping", "-p", "bag.source=in", "-p", "bag.level=3", "--params", "more.toml"
    )
    assert done.code == 0, done.err
    assert (project / "elsewhere").exists()
    shown = json.loads(call("show", "1", "--json").out)
    assert shown["run"]["params"]["values"]["bag"] == {"source": "in", "level": 3}


def test_params_of_the_project_for_an_action_hold_for_it_in_a_chain_too(project, call):
    text = (
        PROJECT
        + '[actions.send.params]\nto = "usual"\n[workflows.shipping.params.bag]\nlevel = 2\n'
    )
    (project / "handrail.toml").write_text(text)
    done = call("run", "shipping", "--bag-source", "in")
    assert done.code == 0, done.err
    assert (project / "usual").exists()
    shown = json.loads(call("show", "1", "--json").out)
    assert shown["run"]["params"]["values"]["bag"]["level"] == 2


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("-p", "send.parcel=x"), "send.parcel: is not given, it comes from bag.parcel"),
        (("-p", "send.tims=2"), "send.tims: unknown param; did you mean times?"),
        (("-p", "times=2"), "times: unknown param; did you mean send.times?"),
        (("-p", "send.times=x"), "-p send.times: Input should be a valid integer"),
        (("--bag-source", "nowhere"), "--bag-source: there is no folder nowhere"),
    ],
)
def test_params_that_are_not_valid_are_told_before_anything_runs(project, call, given, told):
    done = call(*RUN, *given)
    assert (done.code, told in done.err) == (2, True), done.err
    assert not (project / ".handrail" / "runs.db").exists() or "no run" in call("runs").out


def test_a_key_that_may_mean_an_action_or_a_pack_is_refused_with_both(yard):
    yard.plant("bag", "1.0", "from handrail import hookimpl, PackInfo\n", packs={"bag": "bag"})
    (yard.project / "ship.py").write_text(ACTIONS)
    (yard.project / "handrail.toml").write_text(PROJECT)
    done = yard("run", "shipping", "-p", "bag.level=2")
    assert done.returncode == 2
    assert "-p bag.level: bag is one of the params and the pack bag too" in done.stderr


def test_a_failure_names_the_step_of_the_action_and_everything_is_undone(project, call):
    done = call(*RUN, "-p", "send.fail=true")
    assert done.code == 1
    assert "shipping failed at send.post, rolled back" in done.err
    assert {path.name for path in project.iterdir()} & {"parcel.txt", "there"} == set()


def test_what_was_kept_is_resumed_in_the_action_that_failed(project, call):
    call(*RUN, "-p", "send.fail=true", "--on-failure", "keep")
    assert (project / "parcel.txt").exists()
    done = call("resume", "1")
    assert done.code == 1
    assert not (project / "parcel.txt").exists()


def test_a_dry_run_lists_the_actions_whose_inputs_are_not_made(project, call):
    done = call(*RUN, "--dry-run")
    assert done.code == 0, done.err
    assert "send.weigh\n     not previewed: needs bag.parcel" in done.out
    assert not (project / "parcel.txt").exists()


def test_the_plan_is_shown_by_action(project, call):
    lines = call("plan", "shipping").out.splitlines()
    assert lines[0].startswith("shipping · 4 steps in 2 actions · plan ")
    words = [line.split() for line in lines]
    assert [each[:2] for each in words[2:9]] == [
        ["bag"],
        ["1", "wrap"],
        ["send"],
        ["└", "parcel"],
        ["2", "weigh"],
        ["3", "post"],
        ["at", "the"],
    ]
    assert words[9][:2] == ["4", "send.close"]


def test_the_plan_for_programs_has_the_action_of_each_step(project, call):
    told = json.loads(call("plan", "shipping", "--json").out)
    assert [each["name"] for each in told["actions"]] == ["bag", "send"]
    assert [(each["name"], each["action"]) for each in told["steps"]][:2] == [
        ("bag.wrap", "bag"),
        ("send.weigh", "send"),
    ]


def test_a_step_of_an_action_is_explained_by_its_qualified_name(project, call):
    told = call("plan", "shipping", "--explain", "send.post").out
    assert told.startswith("send.post · step 3 of 4 of shipping")
    assert "base" in told
    refused = call("plan", "shipping", "--explain", "post")
    assert "did you mean send.post?" in refused.err


def test_a_run_is_shown_by_action(project, call):
    call(*RUN)
    told = call("show", "1").out
    words = [line.split() for line in told.splitlines()]
    assert ["bag", "done"] in [each[:2] for each in words]
    assert ["wrap", "done"] in [each[:2] for each in words]
    assert "bag.wrap" in call("show", "1", "--step", "bag.wrap").out


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        (("--skip", "send"), 1),
        (("--only", "bag"), 1),
        (("--from", "bag"), 4),
    ],
)
def test_parts_are_whole_actions(project, call, options, steps):
    done = call(*RUN, *options)
    assert done.code == 0, done.err
    assert f"{steps} of {steps} step" in done.out
    assert json.loads(call("runs", "--json").out)["runs"][0]["state"] == "completed"


def test_a_single_step_of_an_action_is_not_chosen_from_outside(project, call):
    done = call(*RUN, "--only", "send.post")
    assert (done.code, "did you mean send?" in done.err) == (2, True)


def test_an_input_from_an_action_that_is_left_out_is_given(project, call):
    done = call(*RUN, "--from", "send")
    assert done.code == 2
    assert "send.parcel: is required, as bag is left out" in done.err
    parcel = ("-p", "send.parcel=12")  # It is a text, and stays one.
    assert "send.parcel: is not given, it comes from bag.parcel" in call(*RUN, *parcel).err
    assert call(*RUN, "--from", "send", *parcel, "--dry-run").code == 0
    done = call(*RUN, "--from", "send", *parcel)
    assert (done.code, (project / "there").read_text()) == (0, "12")
    assert call("rollback", "1", "--yes").code == 0
    assert not (project / "there").exists()


def test_the_project_puts_steps_between_the_actions_and_changes_these_themselves(project, call):
    text = PROJECT + 'insert = [{ step = "stamp", before = "send" }]\n'
    text += '[actions.send]\nremove = ["weigh"]\n'
    (project / "handrail.toml").write_text(text)
    planned = call("plan", "shipping", "--json")
    assert planned.code == 0, planned.out
    told = json.loads(planned.out)
    assert [each["name"] for each in told["steps"]] == [
        "bag.wrap",
        "stamp",
        "send.post",
        "send.close",
    ]
    assert call(*RUN).code == 0
    assert (project / "stamp").read_text() == "there"
    assert call("rollback", "1", "--yes").code == 0
    assert not (project / "stamp").exists()


@pytest.mark.parametrize("anchor", ["post", "send.post"])
def test_a_step_of_an_action_is_no_anchor_for_the_chain(project, call, anchor):
    text = PROJECT + f'insert = [{{ step = "stamp", before = "{anchor}" }}]\n'
    (project / "handrail.toml").write_text(text)
    refused = call("plan", "shipping")
    assert refused.code == 3
    assert f"inserts stamp before '{anchor}', which no step answers to" in refused.err


def test_a_chain_is_locked_as_one(project, call):
    assert call("lock", "shipping").code == 0
    assert "(locked)" in call(*RUN).err
    text = PROJECT + '[actions.send]\ninsert = [{ step = "stamp", before = "post" }]\n'
    (project / "handrail.toml").write_text(text)
    drifted = call(*RUN)
    assert (drifted.code, "send.stamp" in drifted.err) == (3, True)


def test_a_chain_is_resumed_where_every_run_must_be_locked(project, call):
    """Its lock is that of the whole, not of the actions in it."""
    (project / "handrail.toml").write_text(f"locked = true\n{PROJECT}")
    assert call("lock", "shipping").code == 0
    assert call(*RUN, "-p", "send.fail=true", "--on-failure", "keep").code == 6
    again = call("resume", "1")
    assert "told to fail" in again.err
    assert "--no-lock" not in again.err


@pytest.mark.parametrize(
    ("chain", "told"),
    [
        ('chain = ["bag", "bag"]', "workflows.shipping.chain has an action twice"),
        ("chain = []", "has none of extends, steps and chain"),
        (
            'chain = ["bag"]\nextends = "send"',
            "workflows.shipping has extends and chain of",
        ),
        ('extends = "send"\ninputs = { a = "b" }', "has inputs, which are for a chain"),
        ('chain = ["shipping"]', "the workflow shipping is made of itself"),
        ('chain = ["bagg"]', "handrail.toml:10: the chain shipping has bagg"),
        ("", "has none of extends, steps and chain"),
    ],
)
def test_mistakes_in_the_settings_are_told_with_their_line(project, call, chain, told):
    head, _, _ = PROJECT.partition("chain = ")
    (project / "handrail.toml").write_text(f"{head}{chain}\n")
    refused = call("plan", "shipping")
    assert refused.code != 0
    assert told in refused.err


def test_an_action_is_named_where_it_is_used_twice(project, call):
    text = PROJECT.partition("[workflows.shipping]")[0] + (
        '[workflows.both]\nchain = { first = "bag", second = "bag" }\n'
    )
    (project / "handrail.toml").write_text(text)
    told = call("plan", "both", "--json")
    assert [each["name"] for each in json.loads(told.out)["steps"]] == ["first.wrap", "second.wrap"]
    assert "chain of bag, bag" in call("actions").out


def test_events_for_programs_tell_the_actions(project, call):
    lines = [json.loads(line) for line in call(*RUN, "--json").out.splitlines()]
    assert lines[0]["steps"] == ["bag", "send"]
    started = [each["step"] for each in lines if each["event"] == "StepStarted"]
    assert started == ["bag", "bag.wrap", "send", "send.weigh", "send.post", "send.close"]
    assert lines[-1]["result"]["bag"]["parcel"] == "parcel.txt"


RELEASE = """
import json
from dataclasses import asdict

def release(run):
    with open("released.jsonl", "a") as stream:
        stream.write(json.dumps(asdict(run)) + "\\n")
"""


def test_packs_are_told_of_each_action_before_the_run_is_deleted(yard):
    """As of a run of its own, with the id that the action had."""
    points = {"prune": {"claims": "acme_claims:release"}}
    yard.plant("acme-claims", "1.0", RELEASE, **points)
    (yard.project / "in").mkdir()
    (yard.project / "ship.py").write_text(ACTIONS)
    (yard.project / "handrail.toml").write_text(PROJECT)
    assert yard(*RUN).returncode == 0
    uid = json.loads(yard("runs", "--json").stdout)["runs"][0]["uid"]
    assert yard("runs", "prune", "--older-than", "0s").stdout == "1 run deleted\n"
    told = [json.loads(line) for line in (yard.project / "released.jsonl").read_text().splitlines()]
    assert [(each["action"], each["uid"]) for each in told] == [
        *((name, str(uuid.uuid5(uuid.UUID(uid), name))) for name in ("bag", "send")),
        ("shipping", uid),
    ]
    assert told[0]["rollback_data"] == {"wrap": {"made": ["parcel.txt"]}}
    assert told[1]["rollback_data"] == {"post": {"sent": ["there"]}}


LABEL = '''
from pathlib import Path
from handrail import hookimpl, step

@step
def label(context):
    """Label it."""
    Path("label").touch()

@label.rollback
def remove(context, result):
    Path("label").unlink()

@hookimpl
def insert_before(action, step):
    return label if step.name == "wrap" else None
'''


@pytest.mark.parametrize("action", ["shipping", "bag"])
@pytest.mark.parametrize(("gone", "code"), [(True, 3), (False, 4)])
def test_an_undo_without_a_pack_of_the_first_action_touches_nothing(yard, action, gone, code):
    """Not even the actions after it; the exit code is that of an action by itself."""
    plant = yard.plant("acme-label", "1.0", LABEL, packs={"acme_label": "acme_label"})
    (yard.project / "in").mkdir()
    (yard.project / "ship.py").write_text(ACTIONS)
    (yard.project / "handrail.toml").write_text(PROJECT)
    words = RUN if action == "shipping" else ("run", "bag", "in")
    assert yard(*words).returncode == 0
    made = {"label", "parcel.txt", *(("there",) if action == "shipping" else ())}
    plant.uproot()
    if not gone:
        plant = yard.plant("acme-label", "1.0", "1 / 0", packs={"acme_label": "acme_label"})
    assert yard("rollback", "1", "--yes").returncode == code
    assert made <= {path.name for path in yard.project.iterdir()}
    if not gone:
        plant.uproot()
    yard.plant("acme-label", "1.0", LABEL, packs={"acme_label": "acme_label"})
    assert yard("rollback", "1", "--yes").returncode == 0
    assert made.isdisjoint(path.name for path in yard.project.iterdir())


SCAN = '''
from handrail import hookimpl, step

@step
def scan(context):
    """Scan it."""

@hookimpl
def insert_before(action, step):
    return scan if step.name in ({names}) and "shipping" not in action.lineage else None
'''


@pytest.mark.parametrize(
    ("rule", "before", "code"),
    [
        ('before = "post", in = "shipping"', "post", 0),
        ('before = "send.post", in = "shipping"', "post", 0),
        ('before = "post", in = "*"', "post", 0),
        ('before = "wrap", in = "shipping"', "post", 3),
        ('before = "nothing", in = "shipping"', "post", 3),
        ('after = "send.post", in = "shipping"', "post", 3),
        ('before = "post", in = "shipping"', "", 3),
        ('in = "shipping"', "post wrap", 0),
        ('in = "shipping"', "post", 3),
        ('in = "shipping"', "", 3),
    ],
)
def test_a_required_step_is_looked_for_in_the_actions(yard, rule, before, code):
    """One without an anchor is in all of them; else something goes by without it."""
    names = "".join(f"'{name}'," for name in before.split())
    source = SCAN.replace("{names}", names)
    yard.plant("acme-scanner", "1.0", source, packs={"acme_scanner": "acme_scanner"})
    (yard.project / "ship.py").write_text(ACTIONS)
    required = f'[required]\nsteps = [{{ step = "acme-scanner:scan", {rule} }}]\n'
    (yard.project / "handrail.toml").write_text(PROJECT + required)
    done = yard("plan", "shipping")
    assert done.returncode == code, done.stdout + done.stderr
    assert code or "scan" in done.stdout


@pytest.mark.parametrize(
    ("rule", "before", "code"),
    [
        ('before = "tell"', "", 3),
        ('before = "tell"', "tell", 0),
        ('before = "wrap"', "", 3),
        ('before = "wrap"', "wrap", 0),
        ('before = "pack.wrap"', "wrap", 0),
    ],
)
def test_a_step_that_runs_an_action_lifts_no_requirement(yard, rule, before, code):
    """Neither of the action that it is in, nor of the one that it runs."""
    source = SCAN.replace("{names}", f"'{before}',")
    yard.plant("acme-scanner", "1.0", source, packs={"acme_scanner": "acme_scanner"})
    more = """
from handrail import RunStep, action

@step
def tell(context):
    '''Tell it.'''

nightly = action("nightly", [RunStep("pack", Bag, {"source": "in"}), tell])
"""
    (yard.project / "ship.py").write_text(ACTIONS + more)
    required = f'[required]\nsteps = [{{ step = "acme-scanner:scan", {rule}, in = "nightly" }}]\n'
    (yard.project / "handrail.toml").write_text(required)
    done = yard("plan", "ship.py:nightly")
    assert done.returncode == code, done.stdout + done.stderr
