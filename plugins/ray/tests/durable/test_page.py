"""The page that leads from one machine to a cluster does what it shows, on two nodes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from servers.process import free_port
from servers.ray_cluster import kill_all, place_for_ray, variables_of

PAGE = Path(__file__).parents[4] / "docs/how-to/from-one-machine-to-a-cluster.md"
BLOCK = re.compile(
    r'^```(?P<language>python|console) title="(?P<title>[^"]+)"\n(?P<source>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)
PORT = "6379"
TRIES = 3  # Ray gives up a node whose processes need 30 s to start.


@pytest.mark.skipif("HANDRAIL_FAULTS" not in os.environ, reason="takes a minute")
def test_the_page_is_true(
    tmp_path: Path,
    postgres_url: str,
    shell_session: Callable[..., str],
    same_output: Callable[[str, str], bool],
) -> None:
    """Its sessions are run one after the other; `HANDRAIL_DOCS=write` writes what they show."""
    text, port = PAGE.read_text(), str(free_port())
    with place_for_ray() as (name, folder):
        variables = {**variables_of(name, folder), "HANDRAIL_JOURNAL": postgres_url}
        for block in BLOCK.finditer(text):
            shown = block["source"]
            if block["language"] == "python":
                (tmp_path / block["title"]).write_text(shown)
                continue
            for _ in range(TRIES):
                real = shell_session(shown.replace(PORT, port), tmp_path, **variables)
                if "ray start" not in shown or real.count("Ray runtime started") == 2:
                    break
                kill_all(name)
            real = real.replace(port, PORT).replace(postgres_url, "postgresql://ada@db/runs")
            if same_output(shown, real):
                continue
            assert os.environ.get("HANDRAIL_DOCS") == "write", f"the output is now:\n\n{real}"
            PAGE.write_text(PAGE.read_text().replace(shown, real))
