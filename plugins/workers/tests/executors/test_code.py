"""What workers import, and the digest of what they work with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from handrail_workers import CodeRef, distributions, environment_digest

PROGRAM = """
import os, sys
from handrail import action, step

def where(item, item_context):
    return [__name__, item, os.getpid() != item_context.shared]

@step
def work(context):
    found = context.map_items(where, ["a"], shared=os.getpid())
    return {"found": [result for _, result in found]}

job = action("job", [work])
"""
RUN = """
context = job(packs=()).create_context()
from handrail import Orchestrator
Orchestrator(job(packs=()).plan(), context, executor="processes:1").execute()
import json
print(json.dumps(context.results["work"].data["found"]))
"""


def found(words: list[str], folder: Path) -> list[object]:
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout)[0])


def test_functions_of_a_program_are_found_in_its_file(tmp_path: Path) -> None:
    """Workers import it under the name of its file, so that it does not run there."""
    main = 'if __name__ == "__main__":\n' + "\n".join(f"    {line}" for line in RUN.split("\n"))
    (tmp_path / "prog.py").write_text(PROGRAM + main)
    assert found(["prog.py"], tmp_path) == ["prog", "a", True]
    assert found(["-m", "prog"], tmp_path) == ["prog", "a", True]


def test_functions_of_a_module_are_found_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "company").mkdir()
    (tmp_path / "company" / "flows.py").write_text(PROGRAM)
    run = f"from company.flows import job\n{RUN}"
    assert found(["-c", run], tmp_path) == ["company.flows", "a", True]


def test_the_digest_is_that_of_contents_and_not_of_places(tmp_path: Path) -> None:
    """Two machines with the same versions and the same files have the same one."""
    digests: list[str] = []
    for folder, text in (("one", "A = 1"), ("two", "A = 1"), ("three", "A = 2")):
        (tmp_path / folder).mkdir()
        file = tmp_path / folder / "flows.py"
        file.write_text(text)
        code = CodeRef(function="flows:f", files={"flows": str(file)}, folder=str(tmp_path))
        digests.append(environment_digest(code))
    assert digests[0] == digests[1] != digests[2]


def test_the_versions_of_distributions_are_in_the_names_of_folders(tmp_path: Path) -> None:
    """The first of a name on the path counts, as when it is imported."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, name in (
        (first, "acme_grid-1.2.dist-info"),
        (second, "Acme.Grid-1.1.dist-info"),
        (second, "other-3.egg-info"),
        (second, "sources.egg-info"),
    ):
        (folder / name).mkdir(parents=True)
    found = distributions([str(first), str(second)])
    assert found == {"acme-grid": "1.2", "other": "3"}
