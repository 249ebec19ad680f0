"""What a layer of one pack may do around a step of another, on the command line."""

from __future__ import annotations

import json
import re

import pytest

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

POST = """
from pathlib import Path
from handrail import action, step

@step
def look(context): ...

@step
def post(context):
    context.record_rollback("made", "letter.txt")
    Path("letter.txt").write_text("x")
    raise OSError("no stamps")

@post.rollback
def unpost(context, result):
    for name in result.rollback_data["made"]:
        Path(name).unlink(missing_ok=True)

post = action("post", [look, post])
"""

QUIET = """
from handrail import Run, StepResult, StepWrapper, hookimpl

class Quiet(StepWrapper):
    def around(self, context):
        try:
            return (yield Run())
        except Exception:
            return StepResult()
    # more

@hookimpl
def wrap_step(action, step):
    return Quiet(step)
"""

NO_UNDO = QUIET.replace("# more", "def rollback(self, context, result): ...")


@pytest.fixture
def post(yard):
    """Return an environment with an action whose second step fails."""
    yard.plant("acme-post", "0.1.0", POST, actions={"post": "acme_post:post"})
    return yard


def test_a_failure_that_a_layer_hides_is_told_and_undone(post):
    """The error names the layer, its pack and the line; nothing is left."""
    post.plant("acme-quiet", "1.0", QUIET, packs={"quiet": "acme_quiet"})
    done = post("run", "post")
    assert done.returncode == 1
    said = r"layer Quiet of acme-quiet 1.0 \(acme_quiet/__init__.py:\d+\) hides .* no stamps"
    assert re.search(said, " ".join(done.stderr.split()))
    assert not (post.project / "letter.txt").exists()


def test_a_layer_that_keeps_an_undo_from_being_called_needs_a_grant(post):
    """The line that is printed is the way out; then the plan says of the layer what it does."""
    post.plant("acme-quiet", "1.0", NO_UNDO, packs={"quiet": "acme_quiet"})
    done = post("plan", "post")
    assert done.returncode == 3
    assert "Quiet overrides rollback" in done.stderr
    lines = re.findall(r"\[grants\]  (acme-quiet = .*)", done.stderr)
    grants = [name for line in lines for name in re.findall(r'"(.*?)"', line)]
    assert grants == ["change acme-post:look", "change acme-post:post"]
    toml = f"[grants]\nacme-quiet = {json.dumps(grants)}\n"
    (post.project / "handrail.toml").write_text(toml, encoding="utf-8")
    made = json.loads(post("plan", "post", "--json").stdout)["steps"]
    assert [each["undo"] for each in made] == [False, True]
    assert [layer["changes"] for each in made for layer in each["layers"]] == [True, True]
    assert "quiet changes it" in post("plan", "post").stdout
    assert post("lock", "post").returncode == 0
    assert "acme-quiet:quiet (changes)" in (post.project / "handrail.lock").read_text()
    assert post("lock", "--check").returncode == 0
