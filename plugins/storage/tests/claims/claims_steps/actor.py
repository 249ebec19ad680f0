"""Actor: a process, as a thread that waits before each of its requests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

_PATIENCE = 60.0  # Seconds for one request; longer means that something hangs.


class KilledError(BaseException):
    """The process is dead: nothing that it does from here on happens."""


class Actor:
    """A process.

    It goes on only within `step`, so what happens is the same each time, in spite of threads.

    Args:
        work: Does what the process is for, with requests through gates; returns how it ended.
    """

    def __init__(self, work: Callable[[Actor], str]) -> None:
        self._work = work
        self._dead = False
        self._error: BaseException | None = None
        self._go, self._waits = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._main, daemon=True)
        self.ended: str | None = None
        self._thread.start()
        self._wait()

    def gate(self) -> None:
        """Wait until the test lets the process go on; called by the process."""
        if not self._dead:
            self._waits.release()
            self._go.acquire()
        if self._dead:
            raise KilledError

    def step(self) -> bool:
        """Let it do one request; return whether it goes on after that."""
        self._go.release()
        self._wait()
        return self.ended is None

    def kill(self) -> None:
        """Kill it before its next request, or before it tells anybody how it ended."""
        self._dead = True
        while self._thread.is_alive():
            self._go.release()
            self._thread.join(_PATIENCE)

    def _main(self) -> None:
        try:
            ended = self._work(self)
            self.gate()
            self.ended = ended
        except KilledError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again in the test
            self._error = error
        finally:
            self._waits.release()

    def _wait(self) -> None:
        assert self._waits.acquire(timeout=_PATIENCE), "a process hangs"
        if self._error is not None:
            self.ended = "failed"
            raise self._error


class Gated:
    """Something whose methods wait at the gate of a process.

    Args:
        real: What does it.
        actor: The process.
        heard: Called before each call with the name and the arguments; what it returns is called
            with the result.
        split: Methods that take several things, and are called for each on its own here.
    """

    def __init__(self, real: Any, actor: Actor, heard: Callable[..., Any]) -> None:
        self._real, self._actor, self._heard = real, actor, heard

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name == "small_files":
            return GatedFiles(found, self._actor, self._heard)
        if not callable(found) or name == "digest":
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            self._actor.gate()
            then = self._heard(name, arguments)
            result = found(*arguments, **options)
            if hasattr(result, "__next__"):
                result = iter(list(result))
            if then is not None:
                then(result)
            return result

        return call


class GatedStore(Gated):
    """A store, each request of which can be the last."""

    def digest(self, found: Any) -> Any:
        """Read the content, unless the digest is recorded."""
        if found.sha256 is None:
            self._actor.gate()
        return self._real.digest(found)

    def delete_found(self, found: Any, progress: Any = None) -> set[str]:
        """Delete one after the other."""
        delete = self.__getattr__("delete_found")
        return {key for each in found for key in delete([each])}


class GatedFiles(Gated):
    """Small files, each request of which can be the last."""

    def remove_all(self, names: Any) -> None:
        """Remove one after the other."""
        for name in names:
            self.remove(name)
