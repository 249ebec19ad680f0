"""The page that leads from one machine to a cluster does what it shows, on two nodes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from servers.ray_cluster import running_ray

PAGE = Path(__file__).parents[4] / "docs/how-to/from-one-machine-to-a-cluster.md"
BLOCK = re.compile(
    r'^```(?P<language>python|console) title="(?P<title>[^"]+)"\n(?P<source>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)
HEAD, JOURNAL = "127.0.0.1:6379", "postgresql://ada@db/runs"


@pytest.mark.skipif("HANDRAIL_FAULTS" not in os.environ, reason="takes a minute")
def test_the_page_is_true(
    tmp_path: Path,
    postgres_url: str,
    shell_session: Callable[..., str],
    same_output: Callable[[str, str], bool],
) -> None:
    """Its sessions are run one after the other; `HANDRAIL_DOCS=write` writes what they show."""
    with running_ray(nodes=2) as cluster:
        variables = {**cluster.secrets, "HANDRAIL_JOURNAL": postgres_url}
        for block in BLOCK.finditer(PAGE.read_text()):
            shown = block["source"]
            if block["language"] == "python":
                (tmp_path / block["title"]).write_text(shown)
                continue
            real = shell_session(shown.replace(HEAD, cluster.address), tmp_path, **variables)
            real = real.replace(cluster.address, HEAD).replace(postgres_url, JOURNAL)
            if same_output(shown, real):
                continue
            assert os.environ.get("HANDRAIL_DOCS") == "write", f"the output is now:\n\n{real}"
            PAGE.write_text(PAGE.read_text().replace(shown, real))
