"""Starts Python again, with the modules of this process."""

from __future__ import annotations

import sys


def command(main: str, *arguments: int | str) -> list[str]:
    """Return the command of a Python process with the modules of this one.

    Args:
        main: The function that it calls, as `module:name`, with a list of the arguments as text.
        arguments: The arguments.
    """
    import subprocess  # noqa: PLC0415 - whoever starts a process has it; a helper does not need it

    module, _, name = main.partition(":")
    code = (
        f"import sys; given = sys.argv[1:]; sys.path[:] = given[{len(arguments)}:]; "
        f"from {module} import {name}; {name}(given[:{len(arguments)}])"
    )
    flags = vars(subprocess)["_args_from_interpreter_flags"]()  # As multiprocessing does.
    return [sys.executable, *flags, "-c", code, *map(str, arguments), *sys.path]
