"""All keys of project files and policies, for the readers and the documentation."""

from __future__ import annotations

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


def below(prefix: str = "") -> tuple[str, ...]:
    """Return the keys directly below `prefix`, such as `actions.NAME.insert`, without names."""
    start = f"{prefix}." if prefix else ""
    found = (key[len(start) :].partition(".")[0] for key in KEYS if key.startswith(start))
    return tuple(dict.fromkeys(key for key in found if not key.isupper()))
