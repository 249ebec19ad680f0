"""LocalExecutor: runs an action in this process, as scripts and tests of plugins do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from handrail.cli import echo
from handrail_synapse.actions import NoResult, validate_result
from handrail_synapse.clients.configuration import configured_client
from handrail_synapse.loggers import ConsoleLogger
from handrail_synapse.runtime import PluginEnvironment, RuntimeContext


class PluginError(Exception):
    """An error of a plugin.

    Args:
        message: What is wrong.
        details: What else is known.
    """

    def __init__(self, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class ExecutionError(PluginError):
    """An action failed; its cause is the error."""


class LocalExecutor:
    """Runs actions in this process, with the client of the service that is configured.

    Args:
        env: Settings for the steps; by default, the environment variables.
        job_id: The identifier of the job, if any.
        language: The language of messages, such as `en`.
    """

    def __init__(
        self,
        env: Mapping[str, Any] | None = None,
        job_id: str | None = None,
        language: str | None = None,
    ) -> None:
        self._env = PluginEnvironment.from_environ() if env is None else env
        self._job_id = job_id
        self._language = language

    def execute(self, action_cls: Any, params: Mapping[str, Any], **_unused: Any) -> Any:
        """Run an action with these params, write its result as JSON to the output, and return it.

        Raises:
            ExecutionError: The action failed, or its params are not valid.
        """
        logger = ConsoleLogger()
        client = configured_client()
        context = RuntimeContext(
            logger, self._env, self._job_id, client=client, language=self._language
        )
        try:
            result = action_cls.dispatch(params, context)
        except Exception as error:
            raise ExecutionError(f"Action execution failed: {error}") from error
        finally:
            logger.finish()
        model = getattr(action_cls, "result_model", NoResult)
        result = validate_result(result, model)
        echo(f"Result: {json.dumps(_plain(result), default=str)}")
        return result


def _plain(result: Any) -> Any:
    if hasattr(result, "model_dump"):
        return result.model_dump()
    return cast("Any", result) if isinstance(result, dict) else {"result": result}
