"""From the JSON of a run to the documentation: `python benchmarks/peers/picture.py run.json`.

Draws `docs/assets/performance.svg` or, from the JSON of `transfer.py`, `docs/assets/transfer.svg`,
and writes the tables between the markers in `docs/explanation/performance.md` and
`benchmarks/README.md`. What was not measured in that run stays as it is.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from drawing import STEPS, TRANSFERS, Groups, draw, heading
from environments import ROOT
from summary import phase, rows
from tables import HEADS, markdown

PICTURES = ROOT / "docs" / "assets"
PAGE = ROOT / "docs" / "explanation" / "performance.md"
NOTES = ROOT / "benchmarks" / "README.md"
DRAWN = ("in-memory", "rollback", "durable", "durable-normal")
DRAWN_TRANSFERS = ("transfer-local-50000", "transfer-radosgw-1000")
DRAWN_PHASES = {"first": "first run", "again": "unchanged", "undo": "undo"}
# The page leaves to the notes what only matters to whoever changes the engine.
FOR_USERS = {
    "step": ("us a step", "x floor", "x handrail", "1 ms of work takes"),
    "process": ("ms", "x floor", "x handrail"),
    "item": ("us an item", "x", "peak MB"),
    "transfer": (*(head for head in HEADS["transfer"] if "MB" not in head), "again MB"),
}


def written(text: str, name: str, block: str) -> str:
    """Return the text with that block between the markers of that name, if it has them."""
    begin, end = re.escape(f"<!-- bench: {name} -->"), re.escape("<!-- bench end -->")
    return re.sub(
        f"({begin}\n).*?({end})", lambda found: found[1] + block + found[2], text, flags=re.DOTALL
    )


def conditions(run: dict[str, Any]) -> str:
    """Return a sentence on what the figures depend on."""
    began, ended = run["began"], run["ended"]
    versions: dict[str, str] = {}
    for case in run["cases"]:
        for row in case["rows"]:
            for each in row["measures"]:
                if each and "version" in each and row["peer"] != "floor":
                    versions[row["peer"]] = each["version"]
                    versions["Python"] = each["python"]
    named = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    pauses = [case.get("pause", 0) for case in run["cases"]]
    longest = max(each or 0 for each in pauses)
    paused = f" Before each copy of many files to a disk there was a pause of {longest:g} s."
    own = " Contenders that copied many files to a disk had an empty one of their own each."
    fresh = (own if None in pauses else "") + (paused if longest else "")
    load = f"{began['load']:.1f} at the beginning and {ended['load']:.1f} at the end"
    return (
        f"Measured on {began['at'][:10]} with {began['cores']} virtual cores; {run['rounds']}"
        f" rounds, of which slow ones took part in fewer. The load was {load}: above the"
        f" number of cores, others were at work, too.{fresh} {named}.\n"
    )


def transfers(cases: dict[str, dict[str, Any]]) -> Groups:
    """Return what is drawn of the transfers."""
    return [
        (f"{heading(cases[name]['title'])}, {words}", rows(phase(cases[name], of_phase)))
        for name in DRAWN_TRANSFERS
        for of_phase, words in DRAWN_PHASES.items()
    ]


def main() -> None:
    """Write all of it."""
    run = json.loads(Path(sys.argv[1]).read_text())
    cases = {case["name"]: case for case in run["cases"]}
    if set(DRAWN) <= set(cases):
        groups = [(cases[name]["title"], rows(cases[name])) for name in DRAWN]
        (PICTURES / "performance.svg").write_text(draw(groups, STEPS))
    usual_transfers = set(DRAWN_TRANSFERS) <= set(cases)
    if usual_transfers:
        (PICTURES / "transfer.svg").write_text(draw(transfers(cases), TRANSFERS))
    units = {case["unit"] for case in run["cases"]}
    kinds = {"transfer": "transfer-conditions", "item": "items-conditions"}
    name_of_conditions = next((kinds[unit] for unit in kinds if unit in units), "conditions")
    for path in (PAGE, NOTES):
        text = path.read_text()
        if usual_transfers or "transfer" not in units:  # Long cases alone have others.
            text = written(text, name_of_conditions, conditions(run))
        for name, case in cases.items():
            columns = FOR_USERS[case["unit"]] if path == PAGE else HEADS[case["unit"]]
            text = written(text, name, markdown(case, columns) + "\n")
        path.write_text(text)


if __name__ == "__main__":
    main()
