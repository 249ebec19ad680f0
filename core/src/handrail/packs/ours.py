"""Our own distributions that hints may name, by what they offer. No other module names one.

A hint never names a distribution that is made up from what was typed: somebody else may have taken
that name.
"""

from __future__ import annotations

# By the names of their entry points.
ACTIONS = {
    "export": "handrail-export",
    "train": "handrail-train",
    "upload": "handrail-upload",
}
COMMANDS = {
    "check": "handrail-testing",
    "claims": "handrail-storage",
    "new.pack": "handrail-testing",
    "otel": "handrail-otel",
    "web": "handrail-web",
}
_OF_SWEEPS = ("concurrency", "max-failed", "over", "sample", "sample-seed")
OPTIONS = {
    **{f"run.{each}": "handrail-workers" for each in _OF_SWEEPS},
    "resume.on-changed": "handrail-upload",
    **dict.fromkeys(("rollback.keep", "show.best", "show.csv", "show.sort"), "handrail-workers"),
    "show.html": "handrail-report",
}
# By the library of the types that it stores.
SERIALIZERS = {
    "numpy": "handrail-arrow",
    "pandas": "handrail-arrow",
    "polars": "handrail-arrow",
    "pyarrow": "handrail-arrow",
}
EXECUTORS = {
    "processes": "handrail-workers",
    "ray": "handrail-ray",
    "threads": "handrail-workers",
}
# By the words of the API that need them.
PLACES = {
    "isolated": "handrail-workers",
    "map_items": "handrail-workers",
}
JOURNALS = {
    "postgres": "handrail-postgres",
    "postgresql": "handrail-postgres",
}


OURS = {
    "actions": ACTIONS,
    "commands": COMMANDS,
    "executors": EXECUTORS,
    "journals": JOURNALS,
    "options": OPTIONS,
}
"""The tables, by the kind of the entry points."""


def is_ours(distribution: str) -> bool:
    """Return whether hints may name a distribution though it is not installed."""
    tables = (*OURS.values(), PLACES, SERIALIZERS)
    return any(distribution in table.values() for table in tables)
