"""RuntimeContext and PluginEnvironment, with the arguments and methods of the SDK."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import handrail

if TYPE_CHECKING:
    from handrail import RuntimeLogger


class PluginEnvironment(Mapping[str, Any]):
    """Settings by name, read with a type.

    Args:
        values: The settings.
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values: Mapping[str, Any] = {} if values is None else values

    @classmethod
    def from_environ(cls, prefix: str = "") -> PluginEnvironment:
        """Return the environment variables that start with `prefix`, without the prefix.

        Without a prefix, variables are looked up on access, not copied.
        """
        if not prefix:
            return cls(os.environ)
        found = {name: value for name, value in os.environ.items() if name.startswith(prefix)}
        return cls({name.removeprefix(prefix): value for name, value in found.items()})

    @classmethod
    def from_file(cls, path: str | Path) -> PluginEnvironment:
        """Return the settings of a TOML file."""
        import tomllib  # noqa: PLC0415 - only where a file is read

        with Path(path).open("rb") as file:
            return cls(tomllib.load(file))

    @classmethod
    def merge(cls, *environments: Mapping[str, Any]) -> PluginEnvironment:
        """Return the merged settings; later ones override earlier ones."""
        merged: dict[str, Any] = {}
        for each in environments:
            merged.update(each)
        return cls(merged)

    def get_str(self, key: str, default: str | None = None) -> str | None:
        """Return the setting as a string."""
        return str(self._values[key]) if key in self._values else default

    def get_int(self, key: str, default: int | None = None) -> int | None:
        """Return the setting as an integer."""
        return int(self._values[key]) if key in self._values else default

    def get_float(self, key: str, default: float | None = None) -> float | None:
        """Return the setting as a float."""
        return float(self._values[key]) if key in self._values else default

    def get_bool(self, key: str, default: bool | None = None) -> bool | None:
        """Return whether the setting is true: `true`, `1` or `yes`, in any case."""
        if key not in self._values:
            return default
        return str(self._values[key]).strip().lower() in ("true", "1", "yes")

    def get_list(self, key: str, default: list[Any] | None = None) -> list[Any] | None:
        """Return the setting as a list; a string is split at its commas."""
        if key not in self._values:
            return default
        value = self._values[key]
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else [value]

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        # Values may be secrets.
        return f"<{type(self).__name__} of {len(self)} settings>"


class RuntimeContext(handrail.RuntimeContext):
    """Handrail's RuntimeContext with the arguments of the SDK, in the SDK's order.

    Args:
        logger: The receiver of log events, progress and metrics; by default, the console.
        env: Settings for the steps.
        job_id: The identifier of the job, if any.
        client: An object through which steps reach a backend.
        agent_client: An object through which steps reach an agent.
        checkpoint: The checkpoint from which a training starts.
    """

    env: PluginEnvironment  # type: ignore[assignment]

    def __init__(
        self,
        logger: RuntimeLogger | None = None,
        env: Mapping[str, Any] | None = None,
        job_id: str | None = None,
        client: Any = None,
        agent_client: Any = None,
        checkpoint: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(client=client, logger=logger)
        own = env if isinstance(env, PluginEnvironment) else PluginEnvironment(env)
        self.env = own  # pyright: ignore[reportIncompatibleVariableOverride]
        self.job_id = job_id
        self.agent_client = agent_client
        self.checkpoint = checkpoint

    def log_message(self, message: str, context: str = "info") -> None:
        """Log a message for the user; `context` is its kind, such as `info` or `warning`."""
        self.log("message", {"context": context, "content": message})

    def log_dev_event(self, message: str, data: Mapping[str, Any] | None = None) -> None:
        """Log a message for the developer of the plugin."""
        self.log("dev_event", {"message": message, "data": dict(data or {})})

    def end_log(self) -> None:
        """Log that the run is over."""
        self.log_message("The run is over.")
