"""All keys of project files and policies, and the types of their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Key = tuple[str, ...]

KEYS: dict[str, str] = {
    "actions.NAME.params": "table",
    "actions.NAME.insert": "list of tables",
    "actions.NAME.insert.step": "text",
    "actions.NAME.insert.as": "text",
    "actions.NAME.insert.before": "text",
    "actions.NAME.insert.after": "text",
    "actions.NAME.insert.options": "table",
    "actions.NAME.insert.if_missing": '"error" or "skip"',
    "actions.NAME.insert.parallel": "text",
    "actions.NAME.insert.lanes": "list of lanes",
    "actions.NAME.insert.concurrency": "number",
    "actions.NAME.remove": "list of names",
    "actions.NAME.wrap.STEP": "list of names and tables",
    "actions.NAME.wrap.STEP.use": "text",
    "actions.NAME.steps.STEP": "table",
    "actions.NAME.steps.STEP.timeout": "seconds",
    "actions.NAME.steps.STEP.heartbeat_timeout": "seconds",
    "actions.NAME.steps.STEP.isolated": "true or false",
    "actions.NAME.steps.STEP.grace": "seconds",
    "actions.NAME.steps.STEP.memory": "bytes or text",
    "actions.NAME.steps.STEP.rollback_timeout": "seconds",
    "actions.NAME.steps.STEP.rollback_retries": "number",
    "actions.NAME.steps.STEP.rollback_wait": "seconds",
    "workflows.NAME": "table",
    "workflows.NAME.extends": "text",
    "workflows.NAME.chain": "list of names, or table of names",
    "workflows.NAME.chain.ACTION": "text",
    "workflows.NAME.inputs": "table",
    "workflows.NAME.steps": "list of names and tables",
    "local.actions.NAME": "text",
    "local.formats.NAME": "text",
    "local.kinds.NAME": "text",
    "local.steps.NAME": "text",
    "packs.disable": "list of names",
    "packs.only": "list of names",
    "packs.NAME": "table",
    "grants.NAME": "list of texts",
    "required.packs": "list of texts",
    "required.steps": "list of tables",
    "required.steps.step": "text",
    "required.steps.before": "text",
    "required.steps.after": "text",
    "required.steps.in": "text or list of names",
    "journal.url": "text",
    "executor.url": "text",
    "project.name": "text",
    "locked": "true or false",
    "strict_results": "true or false",
}
"""The type of each dotted key; a word in capitals stands for any name."""

POLICY_KEYS = ("grants.NAME", "locked", "packs.NAME", "required.packs", "required.steps")
"""The keys that are also allowed in `handrail-policy.toml`."""


LIMITS = tuple(
    name for _, of, name in (key.rpartition("actions.NAME.steps.STEP.") for key in KEYS) if of
)
"""The keys of limits, of which an inserted step has those that differ."""

TYPES: Mapping[str, tuple[tuple[type, ...], tuple[type, ...]]] = {
    "text": ((str,), ()),
    "table": ((dict,), ()),
    "true or false": ((bool,), ()),
    "list of names": ((list,), (str,)),
    "list of texts": ((list,), (str,)),
    "list of tables": ((list,), (dict,)),
    "list of names and tables": ((list,), (str, dict)),
    "list of lanes": ((list,), (str, dict, list)),
    "text or list of names": ((str, list), (str,)),
    "list of names, or table of names": ((list, dict), (str,)),
}
"""The types of a value, and of the items of a list; who uses values of other types checks them."""

_ACTION = ("actions", "NAME")
_WORKFLOW = ("workflows", "NAME")
_INSERT = (*_ACTION, "insert")
_LANES = (*_INSERT, "lanes")
_LIMITS = (*_ACTION, "steps", "STEP")


class Keys:
    """The keys that a file may have.

    Args:
        keys: Some of `KEYS`.

    Attributes:
        types: The type of each key, and of the tables above it.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self.types: dict[Key, str] = {}
        for key in keys:
            *above, name = key.split(".")
            for length in range(len(above) + 1):
                self.types.setdefault(tuple(above[:length]), "table")
            self.types[*above, name] = KEYS[key]

    def of(self, key: Key, table: Mapping[str, object]) -> dict[str, Key]:
        """Return the keys of a table by name; one in capitals stands for any name."""
        if key == _WORKFLOW:
            own = self._below(_WORKFLOW)
            if isinstance(table.get("steps"), dict):  # They are limits, and not what it is made of.
                del own["steps"]
            return self._below(_ACTION) | own
        if key not in (_INSERT, _LANES, (*_WORKFLOW, "steps")):
            return self._below(key)
        is_group = "parallel" in table and key != _LANES
        names: Key = ("parallel", "lanes", "concurrency") if is_group else ("step", "as", "options")
        if key == _INSERT:
            names = (*names, "before", "after", "if_missing")
        limits = {} if is_group else self._below(_LIMITS)
        return {name: (*_INSERT, name) for name in names} | limits

    def _below(self, key: Key) -> dict[str, Key]:
        return {each[-1]: each for each in self.types if each and each[:-1] == key}
