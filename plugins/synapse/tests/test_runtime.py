"""PluginEnvironment and RuntimeContext with the SDK's arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import handrail
from handrail_synapse import PluginEnvironment, RuntimeContext


class Notes:
    def __init__(self) -> None:
        self.told: list[Any] = []

    def log(self, event: str, data: Any, file: str | None = None) -> None:
        self.told.append((event, data, file))

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        self.told.append((current, total, category))

    def set_metrics(self, value: Any, category: str | None = None) -> None:
        self.told.append((value, category))


def test_argument_order() -> None:
    """The arguments come in the SDK's order, and it is a RuntimeContext of Handrail's."""
    notes, client = Notes(), object()
    context = RuntimeContext(notes, {"A": "1"}, "job-1", client, None, None, {"epoch": 2})
    assert isinstance(context, handrail.RuntimeContext)
    assert (context.logger, context.job_id, context.client) == (notes, "job-1", client)
    assert context.env.get_int("A") == 1
    assert context.checkpoint == {"epoch": 2}
    assert context.agent_client is None


def test_messages() -> None:
    """The SDK's extra log methods arrive at the logger as events."""
    notes = Notes()
    context = RuntimeContext(logger=notes)
    context.log_message("done", "success")
    context.log_dev_event("cache", {"hits": 3})
    context.end_log()
    context.set_progress(1, 2, "x")
    context.set_metrics({"loss": 0.1}, "x")
    assert [entry[0] for entry in notes.told[:3]] == ["message", "dev_event", "message"]
    assert notes.told[0][1] == {"context": "success", "content": "done"}
    assert notes.told[3:] == [(1, 2, "x"), ({"loss": 0.1}, "x")]


def test_nothing_of_the_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an environment there is an empty one, whatever the process has."""
    monkeypatch.setenv("ACME_TOKEN", "secret")
    assert dict(RuntimeContext().env) == {}


def test_from_environ(monkeypatch: pytest.MonkeyPatch) -> None:
    """A prefix selects and is cut off; without one, variables are read when asked for, not kept."""
    monkeypatch.setenv("PLUGIN_LEVEL", "3")
    assert dict(PluginEnvironment.from_environ("PLUGIN_")) == {"LEVEL": "3"}
    whole = PluginEnvironment.from_environ()
    monkeypatch.setenv("PLUGIN_LEVEL", "4")
    assert whole.get_int("PLUGIN_LEVEL") == 4
    assert "PLUGIN_LEVEL" not in repr(whole)


def test_from_file_and_merge(tmp_path: Path) -> None:
    """TOML files keep their types, and of several environments the later one wins."""
    path = tmp_path / "plugin.toml"
    path.write_text('level = 3\ntags = ["a", "b"]\nfast = true\n')
    env = PluginEnvironment.merge(PluginEnvironment.from_file(path), {"level": 4})
    assert (env.get_int("level"), env.get_list("tags"), env.get_bool("fast")) == (
        4,
        ["a", "b"],
        True,
    )


@pytest.mark.parametrize(
    ("text", "truth"),
    [("true", True), ("1", True), ("YES", True), ("no", False), ("0", False), ("on", False)],
)
def test_bool(text: str, truth: bool) -> None:
    """`true`, `1` and `yes` are true, everything else is not."""
    assert PluginEnvironment({"x": text}).get_bool("x") is truth


def test_types_and_defaults() -> None:
    """Each getter converts, and gives its default, None unless given, for what is absent."""
    env = PluginEnvironment({"n": "7", "f": "1.5", "l": "a, b,,c", "s": 5})
    assert (env.get_int("n"), env.get_float("f"), env.get_str("s")) == (7, 1.5, "5")
    assert env.get_list("l") == ["a", "b", "c"]
    assert env.get_list("s") == [5]
    for getter in (env.get_str, env.get_int, env.get_float, env.get_bool, env.get_list):
        assert getter("absent") is None
        assert getter("absent", "given") == "given"
    assert env["n"] == "7"
    assert len(env) == 4
    with pytest.raises(ValueError, match="invalid literal"):
        env.get_int("l")
