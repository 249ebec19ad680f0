"""Who may use the page: the key of this user, the door, and what every answer tells browsers.

Cookies are sent to every port of a machine. That of the page is only sent below a path that nobody
else knows, so that no other server on this machine, maybe of another user, ever sees it.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "handrail"
ENTER = "enter"  # Of the token in an address; `token` would be masked where it is printed.
_KEY_BYTES = 32
_MOST_BYTES = 16_384  # Of a form.
_CHANGES = ("POST", "PUT", "PATCH", "DELETE")

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # With `no-referrer` browsers would not say from which page a form comes.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}


def own_key() -> bytes:
    """Return the key of this user; one for this process alone if none can be kept.

    With it a browser stays let in, and a page finds its way back, when the server starts again.
    """
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    file = Path(home, "handrail", "web.key")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(file)
        with file.open("rb") as opened:
            found = os.fstat(opened.fileno())
            key = opened.read(_KEY_BYTES)
    except OSError:
        return secrets.token_bytes(_KEY_BYTES)
    private = found.st_uid == os.getuid() and not found.st_mode & 0o077
    return key if private and len(key) == _KEY_BYTES else secrets.token_bytes(_KEY_BYTES)


def _make(file: Path) -> None:
    """Write a key, unless there is one; nobody sees half of it."""
    if file.exists():
        return
    new = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(secrets.token_bytes(_KEY_BYTES))
        os.link(new, file)
    except FileExistsError:
        pass  # Another process was faster.
    finally:
        new.unlink()


class Door:
    """Lets in who has the token, and whoever was let in before.

    Args:
        key: The key of this user.
        host: The address at which the page listens, as it was given.
    """

    def __init__(self, key: bytes, host: str) -> None:
        self._key = key
        self._host = host
        self._names = {"localhost", host.lower(), socket.gethostname().lower()}
        self._token = secrets.token_urlsafe(24)
        self.path = f"/{self.sign('path')[:16]}"
        self.pass_ = self.sign("session")

    def sign(self, *words: object) -> str:
        """Return what only this user's pages can derive from `words`."""
        message = "\0".join(map(str, words)).encode("utf-8", "surrogateescape")
        return hmac.new(self._key, message, "sha256").hexdigest()

    def address(self, listening: socket.socket) -> str:
        """Return the address of the page, with the token."""
        name, port = listening.getsockname()[:2]
        if ipaddress.ip_address(name).is_unspecified:
            name = socket.gethostname()
        elif self._host == "localhost":
            name = self._host
        host = f"[{name}]" if ":" in name else name
        return f"http://{host}:{port}{self.path}/?{urlencode({ENTER: self._token})}"

    def has_token(self, token: str) -> bool:
        """Return whether this is the token."""
        return hmac.compare_digest(token.encode(), self._token.encode())

    def has_pass(self, cookie: str | None) -> bool:
        """Return whether this is the cookie of who was let in."""
        return hmac.compare_digest((cookie or "").encode(), self.pass_.encode())

    def knows(self, host: str) -> bool:
        """Return whether a request may name this host.

        A site of somebody else can make its own name lead here, but neither an address nor one of
        the names of this machine.
        """
        try:
            name = urlsplit(f"//{host}").hostname or ""
            return name in self._names or bool(ipaddress.ip_address(name))
        except ValueError:
            return False


class Guard:
    """Lets nobody through who has no business here, and adds the headers to every answer."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name for name, _ in message["headers"]}
                more = ((name.encode(), value.encode()) for name, value in HEADERS.items())
                added = [each for each in more if each[0] not in known]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        refusal = self._refusal(Request(scope)) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        """Return the answer to a request that is not for the app, or None."""
        host = request.headers.get("host", "")
        if not self._door.knows(host):
            return PlainTextResponse("this page has another host\n", 421)
        if not f"{request.scope['path']}/".startswith(f"{self._door.path}/"):
            return PlainTextResponse(_NOT_HERE, 404)
        if request.method not in _CHANGES:
            return self._entry(request)
        if urlsplit(request.headers.get("origin", "")).netloc != host:
            return PlainTextResponse("a page of another site may change nothing here\n", 403)
        if not 0 <= int(request.headers.get("content-length", "-1")) <= _MOST_BYTES:
            return PlainTextResponse("too long\n", 413)
        return self._closed(request)

    def _entry(self, request: Request) -> Response | None:
        token = request.query_params.get(ENTER)
        if token is None or not self._door.has_token(token):
            return self._closed(request)
        left = [pair for pair in parse_qsl(request.url.query) if pair[0] != ENTER]
        target = f"{request.scope['path']}{'?' if left else ''}{urlencode(left)}"
        answer = RedirectResponse(target, 303)
        answer.set_cookie(
            COOKIE, self._door.pass_, path=f"{self._door.path}/", httponly=True, samesite="strict"
        )
        return answer

    def _closed(self, request: Request) -> Response | None:
        if self._door.has_pass(request.cookies.get(COOKIE)):
            return None
        return PlainTextResponse(_NOT_HERE, 403)


_NOT_HERE = "open the address that `handrail web` has printed: it lets this browser in\n"
