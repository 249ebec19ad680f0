"""The site in this process, the command as a process, and a workflow to look at."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx

from handrail_web.app import Site, make_app
from handrail_web.security import COOKIE

HOST = "127.0.0.1:8321"

# A workflow that makes files, waits until it may go on, and takes back what it made.
FLOW = """
import time
from pathlib import Path
from handrail import action, step

@step
def make(context):
    for number in range(3):
        context.record_rollback("files", f"made-{number}")
        Path(f"made-{number}").touch()

@make.rollback
def unmake(context, result):
    for name in result.rollback_data.get("files", []):
        Path(name).unlink(missing_ok=True)

@step
def check(context):
    if not Path("good").exists():
        raise ValueError("it is not good")

@step
def wait(context):
    Path("waiting").touch()
    began = time.monotonic()
    while not Path("go").exists():
        context.set_progress(time.monotonic() - began, 120)
        time.sleep(0.01)

@wait.rollback
def unwait(context, result):
    Path("undoing").touch()
    while not Path("undo").exists():
        time.sleep(0.01)

job = action("job", [make, check])
slow = action("slow", [make, wait])
"""


class Browser:
    """A client of the site in this process, which was let in unless it is told otherwise.

    Attributes:
        site: The site.
        root: The path below which its pages are.
        routes: Its routes.
    """

    def __init__(self, site: Site, *, let_in: bool = True) -> None:
        guard = make_app(site)
        self.site = site
        self.root = site.door.path
        self.routes = guard.app.routes[0].routes
        cookies = {COOKIE: site.door.pass_} if let_in else {}
        transport = httpx.ASGITransport(guard)
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(
            transport=transport, base_url=f"http://{HOST}", cookies=cookies
        )

    def get(self, path: str, **more: Any) -> httpx.Response:
        """Return the answer to a request; redirections are not followed."""
        return self._runner.run(self._client.get(path, **more))

    def post(self, path: str, **more: Any) -> httpx.Response:
        """Return the answer to a form."""
        return self._runner.run(self._client.post(path, **more))

    def page(self, path: str = "/", **query: Any) -> str:
        """Return a page, which must be there."""
        answer = self.get(f"{self.root}{path}", params=query or None)
        assert answer.status_code == 200, answer.text
        return answer.text

    def close(self) -> None:
        """Close its connections."""
        self._runner.run(self._client.aclose())
        self._runner.close()


class Server:
    """`handrail web` as a process.

    Attributes:
        address: The address that it has printed.
        process: The process.
    """

    def __init__(self, *words: str, port: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "handrail", "web", "--port", str(port), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, (line, self.process.communicate(timeout=60)[1])
        self.address = found[0]

    @property
    def port(self) -> int:
        """The port at which it listens."""
        return int(re.findall(r":(\d+)/", self.address)[0])

    def stop(self) -> tuple[int, str]:
        """Interrupt it as a terminal does; return its exit code, and what it said to people."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


def until(condition: Callable[[], object], what: str = "it did not come true") -> None:
    """Wait until `condition` returns a true value."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


Open = Callable[..., Browser]
