"""RuntimeContext and PluginEnvironment, with the arguments and methods of the SDK."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, cast

import handrail
from handrail_synapse.configuration import configured_client
from handrail_synapse.loggers import HandrailLogger
from handrail_synapse.messages import CommonLogMessageCode, LogLevel, Message, level_of, resolved


class PluginEnvironment(Mapping[str, Any]):
    """Settings by name, read with a type.

    Args:
        values: The settings.
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values: Mapping[str, Any] = {} if values is None else values

    @classmethod
    def from_environ(
        cls, prefix: str = "", *, prefixes: tuple[str, ...] | None = None
    ) -> PluginEnvironment:
        """Return the environment variables that start with `prefix`, without the prefix.

        With `prefixes`, those that start with any of them, under their whole names. Without both,
        variables are looked up on access, not copied.
        """
        if prefixes:
            return cls({name: os.environ[name] for name in os.environ if name.startswith(prefixes)})
        if not prefix:
            return cls(os.environ)
        found = {name: value for name, value in os.environ.items() if name.startswith(prefix)}
        return cls({name.removeprefix(prefix): value for name, value in found.items()})

    @classmethod
    def from_file(cls, path: str | Path) -> PluginEnvironment:
        """Return the settings of a TOML file."""
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

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a new dict."""
        return dict(self._values)

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

    A logger is called as the SDK calls its own, `log(level, event, data, file)`, unless its `log`
    takes no `level`: then as Handrail calls one, `log(event, data, file)`, with the level of a
    message as its `context`.

    Args:
        logger: The receiver of log events, progress and metrics; by default, the console.
        env: Settings for the steps.
        job_id: The identifier of the job, if any.
        client: An object through which steps reach a backend.
        v2_client: One for the second version of its interface.
        agent_client: An object through which steps reach an agent.
        checkpoint: The checkpoint from which a training starts.
        language: The language of messages, such as `en`; by default that of `SYNAPSE_LANGUAGE`.
    """

    env: PluginEnvironment  # type: ignore[assignment]

    def __init__(
        self,
        logger: Any = None,
        env: Mapping[str, Any] | None = None,
        job_id: str | None = None,
        client: Any = None,
        v2_client: Any = None,
        agent_client: Any = None,
        checkpoint: Mapping[str, Any] | None = None,
        language: str | None = None,
    ) -> None:
        super().__init__(client=client, logger=logger)
        own = env if isinstance(env, PluginEnvironment) else PluginEnvironment(env)
        self.env = own  # pyright: ignore[reportIncompatibleVariableOverride]
        self.job_id = job_id
        self.v2_client = v2_client
        self.agent_client = agent_client
        self.checkpoint = checkpoint
        self.language = language

    @property
    def client_v1(self) -> Any:
        """Another name of `client`."""
        return self.client

    @property
    def client_v2(self) -> Any:
        """Another name of `v2_client`."""
        return self.v2_client

    def log(
        self,
        event: str,
        data: Mapping[str, Any],
        file: str | None = None,
        level: LogLevel = LogLevel.INFO,
    ) -> None:
        """Log one event with its data; `file` is the path it is about, if any."""
        self._log(level, event, data, file)

    def _log(self, level: LogLevel, event: str, data: Any, *file: Any, **more: Any) -> None:
        logger: Any = self.logger
        if takes_level(logger):
            logger.log(level, event, data, *file, **more)
        else:
            # Without a level, that of a message would be lost.
            told = {"context": level.value, **data} if event == "message" else data
            logger.log(event, told, *file)

    def set_progress(  # type: ignore[override]
        self,
        current: float,
        total: float,
        step: str | None = None,
        *,
        category: str | None = None,
    ) -> None:
        """Report progress within a step.

        Raises:
            ValueError: `total` is not above 0, or `current` is not between 0 and `total`.
        """
        super().set_progress(current, total, category if step is None else step)

    def set_metrics(  # type: ignore[override]
        self, value: Mapping[str, Any], step: str | None = None, *, category: str | None = None
    ) -> None:
        """Report measured values of a step."""
        super().set_metrics(value, category if step is None else step)

    def log_message(
        self,
        message: Message,
        level: LogLevel | str = LogLevel.INFO,
        *,
        context: LogLevel | str | None = None,
        language: str | None = None,
        step: str | None = None,
        **values: Any,
    ) -> None:
        """Log a message for the user.

        Args:
            message: A text, texts by language, or a code that was registered with its texts.
            level: The level; that of a code wins.
            context: Another name of the level.
            language: The language of this message.
            step: The step that it is about.
            **values: What stands for the `{fields}` of the text.
        """
        spoken = language or self.speaks()
        text, level, key = resolved(message, level_of(context, level), spoken, values)
        data = {"content": text, **({"key": key} if key else {})}
        of_step = takes_level(self.logger) and takes(cast("Any", self.logger).log, "step")
        self._log(level, "message", data, **({"step": step} if of_step else {}))

    def speaks(self) -> str | None:
        """Return the language of messages, if it is set."""
        return self.language or self.env.get_str("SYNAPSE_LANGUAGE")

    def log_dev_event(self, message: str, data: Mapping[str, Any] | None = None) -> None:
        """Log a message for the developer of the plugin."""
        self._log(LogLevel.DEBUG, "dev_event", {"message": message, "data": data})

    def end_log(self) -> None:
        """Log that the run is over."""
        self.log_message(CommonLogMessageCode.PLUGIN_RUN_COMPLETE)


def given_or_made(ctx: handrail.RuntimeContext | None) -> handrail.RuntimeContext:
    """Return the runtime context of an action: the one that the caller has made.

    In the place of one that Handrail makes, such as that of its command line, and if there is none,
    it is a new one of the SDK's kind, with the client of the service that is configured if it has
    no other.
    """
    if ctx is not None and not _is_made_by_handrail(ctx):
        return ctx
    if ctx is None:
        return RuntimeContext(client=configured_client())
    return RuntimeContext(
        HandrailLogger(ctx.logger),
        ctx.env,
        client=configured_client() if ctx.client is None else ctx.client,
    )


def _is_made_by_handrail(ctx: handrail.RuntimeContext) -> bool:
    """Return whether a context and its logger are of Handrail's own classes."""
    own = type(ctx.logger).__module__.partition(".")[0] == handrail.__name__
    return own and type(ctx) is handrail.RuntimeContext


def with_messages(context: Any) -> RuntimeContext:
    """Return what takes messages: a runtime context, unless it is one of Handrail's own."""
    if hasattr(context, "log_message"):
        return cast("RuntimeContext", context)
    return RuntimeContext(context.logger, context.env, client=getattr(context, "client", None))


def takes_level(logger: object) -> bool:
    """Return whether a logger is called as the SDK calls one: with the level first."""
    log = getattr(logger, "log", None)
    try:
        parameters = list(signature(cast("Any", log)).parameters.values())
    except (TypeError, ValueError):
        return False
    if any(each.name == "level" for each in parameters[:1]):
        return True
    # One that takes anything, such as a mock in a test of migrated code.
    return bool(parameters) and parameters[0].kind is Parameter.VAR_POSITIONAL


def takes(function: Callable[..., Any], name: str) -> bool:
    """Return whether a function takes an argument called `name`; so do those that take any."""
    try:
        parameters = signature(function).parameters
    except (TypeError, ValueError):
        return False
    return name in parameters or any(
        each.kind is Parameter.VAR_KEYWORD for each in parameters.values()
    )
