"""Messages for users: their levels, and codes with a text in each language."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Any, cast

_LANGUAGE = "SYNAPSE_LANGUAGE"
_DEFAULT = "en"


class LogLevel(str, Enum):  # noqa: UP042 - its text is that of an Enum, as of the SDK
    """How important an entry of a log is, for the one who reads it."""

    DEBUG = "debug"
    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    DANGER = "danger"
    ERROR = "error"
    CRITICAL = "critical"


class LogMessageCode(StrEnum):
    """A message that has a text in each language; derive your own.

    Each member is a value and a level: `SKIPPED = ("SKIPPED", "warning")`.

    Attributes:
        level: Its level.
    """

    level: LogLevel

    def __new__(cls, value: str, level: LogLevel | str = LogLevel.INFO) -> LogMessageCode:
        made = str.__new__(cls, value)
        made._value_ = value
        made.level = LogLevel(level)
        return made


class CommonLogMessageCode(LogMessageCode):
    """Messages of every plugin."""

    PLUGIN_RUN_COMPLETE = ("PLUGIN_RUN_COMPLETE", LogLevel.INFO)


class LocalizedMessage:
    """A message with a text in each language.

    Args:
        **texts: The texts, by language: `LocalizedMessage(en="Done", ko="...")`.
    """

    def __init__(self, **texts: str) -> None:
        self.texts = texts

    def format(self, language: str | None = None, fallback: str = _DEFAULT, **values: Any) -> str:
        """Return the text in a language, with `values` in the place of its fields."""
        text = self.texts.get(language or fallback) or self.texts.get(fallback, "")
        return filled(text, values)


Message = str | Mapping[str, str] | LocalizedMessage | LogMessageCode

_TEXTS: dict[str, dict[str, str]] = {}


def register_log_messages(templates: Mapping[LogMessageCode, str | Mapping[str, str]]) -> None:
    """Give codes their texts: one text, or one for each language. What is no text is left out."""
    for code, given in templates.items():
        texts = {_DEFAULT: given} if isinstance(given, str) else given
        if not isinstance(cast("object", texts), Mapping):
            logging.getLogger(__name__).warning("%s has no text: %r", code.value, given)
            continue
        for language, text in texts.items():
            if isinstance(cast("object", text), str):
                _TEXTS.setdefault(code.value, {})[language] = text
            else:
                logging.getLogger(__name__).warning("%s has no text: %r", code.value, text)


def resolve_log_message(
    code: LogMessageCode, language: str | None = None, **values: Any
) -> tuple[str, LogLevel]:
    """Return the text and the level of a code; of one without a text, the code itself.

    Args:
        code: The code.
        language: Its language, such as `en`; by default that of the variable `SYNAPSE_LANGUAGE`.
        **values: What stands for the `{fields}` of the text.
    """
    texts = _TEXTS.get(code.value, {})
    wanted = language or os.environ.get(_LANGUAGE) or _DEFAULT
    text = texts.get(wanted) or texts.get(_DEFAULT)
    return (code.value if text is None else filled(text, values)), code.level


def resolved(
    message: Message, level: LogLevel, language: str | None, values: Mapping[str, Any]
) -> tuple[str, LogLevel, str | None]:
    """Return the text, the level and, of a code, the key of a message of any kind."""
    if isinstance(message, LogMessageCode):
        text, level = resolve_log_message(message, language, **values)
        return text, level, message.value
    wanted = language or os.environ.get(_LANGUAGE) or _DEFAULT
    if isinstance(message, LocalizedMessage):
        return message.format(wanted, **values), level, None
    if isinstance(message, Mapping):
        return filled(message.get(wanted) or message.get(_DEFAULT, ""), values), level, None
    return filled(message, values), level, None


def filled(text: str, values: Mapping[str, Any]) -> str:
    """Return a text with its fields filled; as it is, if one of them is missing."""
    try:
        return text.format(**values) if values else text
    except (KeyError, IndexError):
        return text


def level_of(given: LogLevel | str | None, default: LogLevel | str) -> LogLevel:
    """Return the level given under its former name, or the other one."""
    return LogLevel(default if given is None else given)


register_log_messages({CommonLogMessageCode.PLUGIN_RUN_COMPLETE: "Plugin run is complete."})
