"""Listens at an address, and serves an app there until it is interrupted."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import click
import uvicorn

from handrail.errors import ExitCode, HandrailError

if TYPE_CHECKING:
    from types import FrameType

    from starlette.types import ASGIApp

_WAITING = 128  # Connections that wait to be accepted.


class AddressError(HandrailError, OSError):
    """The page cannot listen at its address."""

    code = "address"
    exit_code = ExitCode.FAILED


def listen(host: str, port: int, *, allow_remote: bool) -> tuple[socket.socket, str]:
    """Return a socket that listens, and what to warn of, if anything.

    Args:
        host: The address, or a name of it.
        port: The port; 0 for any that is free.
        allow_remote: Whether other machines may reach it.

    Raises:
        click.UsageError: Other machines would reach it, and may not.
        AddressError: It is taken, or no address of this machine.
    """
    try:
        kind, _, _, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise AddressError(f"{host} is no address of this machine: {error.strerror}") from error
    local = ipaddress.ip_address(str(place[0]).partition("%")[0]).is_loopback
    if not (local or allow_remote):
        raise click.UsageError(
            f"--host {host} lets other machines reach the page; allow it with --allow-remote, or "
            "better leave it out and use a tunnel: ssh -L 8321:localhost:8321 MACHINE"
        )
    listening = socket.socket(kind, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen(_WAITING)
    except OSError as error:
        listening.close()
        raise _cannot_listen(error, host, port) from None
    return listening, "" if local else _REMOTE


_REMOTE = (
    "other machines can reach the page, and its connection is not encrypted: what it shows, and "
    "the token, can be read on the way"
)


def _cannot_listen(error: OSError, host: str, port: int) -> AddressError:
    if error.errno == errno.EADDRINUSE:
        return AddressError(
            f"the port {port} of {host} is in use",
            ways_out=("use another one:  handrail web --port 0",),
        )
    return AddressError(f"cannot listen at {host}, port {port}: {error.strerror}")


class _Server(uvicorn.Server):
    """Tells the app at the first signal, so that its streams end and nobody waits for them."""

    def __init__(self, config: uvicorn.Config, stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop = stop

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End at a signal."""
        self._stop()
        super().handle_exit(sig, frame)


def serve(app: ASGIApp, listening: socket.socket, stop: Callable[[], None]) -> None:
    """Serve `app` until Ctrl-C; any other signal has its usual effect, after the connections end.

    Args:
        app: The app.
        listening: Where to listen.
        stop: Called at the first signal; it ends what the app would go on with for ever.
    """
    config = uvicorn.Config(
        app,
        http="h11",
        lifespan="off",
        log_config=None,
        log_level="warning",
        loop="asyncio",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        ws="none",
    )
    with suppress(KeyboardInterrupt):  # That is how it ends.
        _Server(config, stop).run(sockets=[listening])
