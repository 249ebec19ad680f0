"""What is measured: who does which work, and what it is held against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CONTENDERS = HERE / "contenders"
FLOOR = "floor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """Somebody who does the work.

    Attributes:
        label: Its name in the table.
        peer: The environment that it runs in; the floors run in ours.
        script: What runs, with its last words; `CASE STEPS FOLDER` come in between.
        steps: Of those that take long, there are fewer.
        every: It takes part in each round of that many.
        floor: The label of what it is held against.
        ours: The label of ours at the same guarantee.
        command: Instead of a script: what is run as a whole, after the interpreter.
        remark: Why it does not take part; nothing is run then.
    """

    label: str
    peer: str
    script: tuple[str, ...] = ()
    steps: int = 1000
    every: int = 1
    floor: str = ""
    ours: str = "handrail"
    command: tuple[str, ...] = ()
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The same work, done by several; `work` is what they are told to do."""

    name: str
    title: str
    work: str
    contenders: tuple[Contender, ...]
    unit: str = "step"
    among_many: bool = False


def floor(label: str, way: str) -> Contender:
    """Return a floor, which is held against the first of its case."""
    return Contender(label=label, peer=FLOOR, script=("floor_steps.py", way), floor=FLOOR_OF[way])


LOOP, NORMAL, FULL = "plain loop", "sqlite3, WAL, not synced", "sqlite3, WAL, synced"
UNDO, READ = "guarded loop", "sqlite3, rows read"
FLOOR_OF = {
    "loop": LOOP,
    "lean": LOOP,
    "wal-full": FULL,
    "sqlite-as-it-comes": FULL,
    "wal-normal": NORMAL,
}
KEEPS_NOTHING = "keeps no record of a run"
UNDOES_NOTHING = "does not undo finished steps"


def ours(floor: str, label: str = "handrail", way: str = "default") -> Contender:
    """Return ours."""
    script = ("handrail_steps.py", way)
    return Contender(label=label, peer="handrail", script=script, floor=floor)


def peer(name: str, floor: str, label: str = "", steps: int = 1000, every: int = 1) -> Contender:
    """Return a peer."""
    script = (f"{name.removeprefix('apache-').removesuffix('-sdk')}_steps.py",)
    label = label or name
    return Contender(label=label, peer=name, script=script, steps=steps, every=every, floor=floor)


def absent(name: str, remark: str) -> Contender:
    """Return a peer that does not do this work."""
    return Contender(label=name, peer=name, remark=remark)


IN_MEMORY = Case(
    name="in-memory",
    title="In memory: a step that does nothing",
    work="in-memory",
    contenders=(
        floor(LOOP, "loop"),
        floor("loop with all features by hand", "lean"),
        ours(LOOP),
        ours(LOOP, "handrail, progress callback", "progress"),
        peer("synapse-sdk", LOOP),
        peer("apache-hamilton", LOOP),
        peer("taskflow", LOOP, every=4),
        peer("prefect", LOOP, steps=200, every=4),
        absent("dbos", "has no mode in memory"),
    ),
)
ROLLBACK = Case(
    name="rollback",
    title="Undo: finished steps, when the next one fails",
    work="rollback",
    contenders=(
        Contender(label=UNDO, peer=FLOOR, script=("floor_steps.py", "loop"), floor=UNDO),
        ours(UNDO),
        peer("synapse-sdk", UNDO),
        peer("prefect", UNDO, steps=200, every=4),
        peer("taskflow", UNDO, steps=300, every=4),
        absent("apache-hamilton", UNDOES_NOTHING),
        absent("dbos", UNDOES_NOTHING),
    ),
)
DURABLE = Case(
    name="durable",
    title="Durable: each step is on the disk before the next, and survives the loss of power",
    work="durable",
    contenders=(
        floor(FULL, "wal-full"),
        floor("sqlite3 as it comes", "sqlite-as-it-comes"),
        ours(FULL),
        peer("dbos", FULL, every=2),
        peer("taskflow", FULL, steps=100, every=4),
        absent("synapse-sdk", KEEPS_NOTHING),
    ),
)
NOT_SYNCED = Case(
    name="durable-normal",
    title="Durable, not synced: each step survives a kill, and the loss of power may take the last",
    work="durable",
    contenders=(
        floor(NORMAL, "wal-normal"),
        ours(NORMAL, way="normal"),
        peer("apache-hamilton", NORMAL, "apache-hamilton, its cache", steps=200, every=2),
        peer("prefect", NORMAL, "prefect, results in files", steps=200, every=4),
    ),
)
RESUME = Case(
    name="resume",
    title="Going on: all steps but the last are done, and a new process reaches that one",
    work="resume",
    contenders=(
        Contender(label=READ, peer=FLOOR, script=("floor_steps.py", "wal-full"), floor=READ),
        ours(READ),
        peer("dbos", READ, every=2),
        peer("apache-hamilton", READ, "apache-hamilton, its cache", steps=200, every=2),
        peer("taskflow", READ, steps=100, every=2),
        peer("prefect", READ, "prefect, results in files", steps=200, every=4),
        absent("synapse-sdk", KEEPS_NOTHING),
    ),
)

BARE, GROUP = "bare interpreter", "bare click group of 14 commands"


def imports(name: str, module: str) -> Contender:
    """Return an interpreter that imports this, and ends."""
    command = ("-c", f"import {module}")
    label = f"import {module}"
    return Contender(
        label=label, peer=name, steps=1, floor=BARE, ours="import handrail", command=command
    )


def helps(name: str, command: str) -> Contender:
    """Return a command that prints its help."""
    return Contender(
        label=f"{command} --help",
        peer=name,
        steps=1,
        floor=GROUP,
        ours="handrail --help",
        command=(f"bin/{command}", "--help"),
    )


IMPORT = Case(
    name="start-up-import",
    title="Start-up: an interpreter that imports the library, and ends",
    work="",
    unit="process",
    contenders=(
        Contender(
            label=BARE,
            peer=FLOOR,
            steps=1,
            floor=BARE,
            ours="import handrail",
            command=("-c", "pass"),
        ),
        imports("handrail", "handrail"),
        imports("taskflow", "taskflow.engines"),
        imports("apache-hamilton", "hamilton.driver"),
        imports("dbos", "dbos"),
        imports("synapse-sdk", "synapse_sdk.plugins.steps"),
        imports("prefect", "prefect"),
    ),
)
HELP = Case(
    name="start-up-help",
    title="Start-up: the command line prints its help",
    work="",
    unit="process",
    contenders=(
        Contender(
            label=GROUP,
            peer=FLOOR,
            steps=1,
            floor=GROUP,
            ours="handrail --help",
            command=(str(CONTENDERS / "click_group.py"), "--help"),
        ),
        helps("handrail", "handrail"),
        helps("dbos", "dbos"),
        helps("synapse-sdk", "synapse"),
        helps("prefect", "prefect"),
    ),
)
SCAN = "directory scan"
LISTS = Case(
    name="start-up-packs",
    title="Discovery: 50 packs among 1000 installed distributions are listed by a new process",
    work="",
    unit="process",
    among_many=True,
    contenders=(
        Contender(
            label=SCAN,
            peer=FLOOR,
            steps=1,
            floor=SCAN,
            ours="handrail packs",
            command=(str(CONTENDERS / "directory_scan.py"),),
        ),
        Contender(
            label="importlib.metadata",
            peer=FLOOR,
            steps=1,
            floor=SCAN,
            ours="handrail packs",
            command=(
                "-c",
                "from importlib.metadata import entry_points as e; len(e(group='handrail.packs'))",
            ),
        ),
        Contender(
            label="handrail packs",
            peer="handrail",
            steps=1,
            floor=SCAN,
            ours="handrail packs",
            command=("bin/handrail", "packs"),
        ),
    ),
)
CASES = (IN_MEMORY, ROLLBACK, DURABLE, NOT_SYNCED, RESUME, IMPORT, HELP, LISTS)
