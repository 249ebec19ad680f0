"""Requests to an object storage: retried if that may help, otherwise a clear error."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotSupportedError, PreconditionError

from handrail_storage.backend.clients import make_client
from handrail_storage.backend.faults import storage_error
from handrail_storage.backend.watching import OnStatus, Watch
from handrail_storage.caller import ANYBODY, Caller
from handrail_storage.errors import StorageError
from handrail_storage.places import Place
from handrail_storage.retries import retrying
from handrail_storage.stored import Stored

if TYPE_CHECKING:
    from obstore import Attributes, GetResult
    from obstore.store import ObjectStore

MARK, SHA256, PART_SIZE = "handrail-run", "handrail-sha256", "handrail-part-size"

_LOOK = 5.0  # Seconds for the answer to a look.

T = TypeVar("T")


class Requests:
    """Requests to one bucket, with keys below one prefix.

    Args:
        place: The bucket and the prefix.
        retries: Number of retries.
        caller: The pack, for the class of errors.
        on_status: Called from any thread with what the requests wait for, such as
            `retrying 2/8: store.example:9000 cannot be reached`; with None once they go on.

    Attributes:
        url: The place, as people write it.
        prefix: The prefix of every key.
        scheme: The scheme of the place, such as `s3`.
        client: Does not retry: an object that is put at once is retried by `again`, which can check
            whether it had arrived after all.
    """

    def __init__(
        self,
        place: Place,
        retries: int,
        caller: Caller = ANYBODY,
        on_status: OnStatus | None = None,
    ) -> None:
        self.url = place.shown
        self.prefix = f"{place.path}/" if place.path else ""
        self.scheme = place.scheme
        self._retries = retries
        self._caller = caller
        self._on_status = on_status or _ignore
        self._place = place
        self._looking: ObjectStore | None = None
        self._watch: Watch | None = None
        if on_status is not None and place.scheme != "memory":
            self._watch = Watch(self._look, on_status)
        self.client = make_client(place, retries=0, caller=caller)

    @cached_property
    def patient(self) -> ObjectStore:
        """A client that retries: if a part has failed, it sends that part again, not the file."""
        # Each takes 10 ms: it reads the certificates of the system.
        return make_client(self._place, retries=self._retries, caller=self._caller)

    def again(
        self,
        about: str,
        call: Callable[[], T],
        *,
        pause: Callable[[float], None] | None = None,
        retries: int | None = None,
    ) -> T:
        """Call, and call again while the storage fails in ways that may pass.

        Args:
            about: The key, or the operation.
            call: The request.
            pause: Waits so many seconds between two attempts; `time.sleep` unless given.
            retries: Number of retries, if fewer than usual.

        Raises:
            StorageError: All attempts failed, or the storage refused.
        """

        def once() -> T:
            with self.patiently(about):
                return call()

        most = self._retries if retries is None else min(retries, self._retries)
        return retrying(once, retries=most, on_status=self._on_status, pause=pause)

    def _look(self) -> str | None:
        """Return why the storage cannot be reached now, or None if it answers."""
        if self._looking is None:
            # A server that accepts requests and answers none is told soon.
            self._looking = make_client(self._place, retries=0, caller=self._caller, timeout=_LOOK)
        try:
            with self.converting_errors(self.url):
                self.ask(".handrail-reach", self._looking)
        except StorageError as error:
            return error.reason if error.passing else None
        return None

    def reach(self, retries: int | None = None) -> None:
        """Check that the storage answers, and that the bucket is there.

        Raises:
            StorageError: The storage does not answer, or refuses to read.
        """
        # The answer to a HEAD does not say whether the object or the bucket is missing.
        self.again(self.url, lambda: self.get(".handrail-reach"), retries=retries)

    @contextmanager
    def patiently(self, about: str) -> Generator[None]:
        """Convert errors as `converting_errors` does, around a request that may take long.

        A client does not tell that it waits, nor `patient` that it retries. So while requests are
        under way and none is answered, the storage is asked now and then whether it answers, and
        `on_status` is told if it does not.
        """
        with self.converting_errors(about), self._watch or nullcontext():
            yield

    @contextmanager
    def converting_errors(self, about: str) -> Generator[None]:
        """Convert errors of the client to a StorageError with the key and the server's message.

        AlreadyExistsError, NotSupportedError and PreconditionError are not converted.
        """
        try:
            yield
        except (AlreadyExistsError, NotSupportedError, PreconditionError):
            raise
        except (BaseError, FileNotFoundError, ValueError) as error:
            if type(error).__module__.startswith("handrail"):
                raise  # A SourceError, which is a ValueError.
            # Not `from`: the message has the client's whole text, and a cause would be shown again.
            raise self.failure(error, about)  # noqa: B904

    def failure(self, error: BaseException, about: str) -> StorageError:
        """Convert an error of the client to a StorageError; see `told`."""
        return storage_error(error, about, self.url, self._caller)

    def broken(self, about: str) -> StorageError:
        """Return the error for a request without an answer."""
        why = "the connection broke"
        return self._caller.error(f"{about}: {why} (from {self.url})", passing=True, reason=why)

    def path(self, key: str) -> str:
        """Return the path of a key in the bucket.

        Raises:
            StorageError: The key might lead out of the place.
        """
        if ".." in key.split("/"):
            raise self._caller.error(f"{key}: '..' is no part of a path of objects (at {self.url})")
        return f"{self.prefix}{key}"

    def get(
        self, key: str, client: ObjectStore | None = None, *, head: bool = False
    ) -> GetResult | None:
        """Ask once for one object; return None if it is not there."""
        try:
            return obstore.get(client or self.client, self.path(key), options={"head": head})
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise
            return None

    def ask(self, key: str, client: ObjectStore | None = None) -> Stored | None:
        """Ask once for the metadata of one object."""
        answer = self.get(key, client, head=True)
        return None if answer is None else self.described(key, answer)

    def stat(self, key: str) -> Stored | None:
        """Ask for the metadata of one object, again while the storage fails."""
        return self.again(key, lambda: self.ask(key))

    def described(self, key: str, answer: GetResult) -> Stored:
        """Return the object of an answer."""
        meta, attributes = answer.meta, answer.attributes
        part_size = attributes.get(self.spelled(PART_SIZE), "")
        return Stored(
            key=key,
            size=meta["size"],
            etag=bare(meta["e_tag"]),
            modified=int(meta["last_modified"].timestamp()) * 10**9,
            mark=attributes.get(self.spelled(MARK)),
            sha256=attributes.get(self.spelled(SHA256)),
            part_size=int(part_size) if part_size.isdecimal() else None,
        )

    def put(
        self, key: str, content: bytes | memoryview, attributes: Attributes, mode: Any
    ) -> str | None:
        """Put an object once, in one request; return its ETag."""
        path = self.path(key)
        answer = obstore.put(
            self.client, path, content, attributes=attributes, mode=mode, use_multipart=False
        )
        return bare(answer["e_tag"])

    def attributes_of(self, key: str, marks: dict[str, str]) -> Attributes:
        """Return the attributes of an object: the marks, and the type of its content."""
        kind, encoding = mimetypes.guess_type(key)
        if encoding is not None:
            kind = f"application/{encoding}"  # Of the file itself, not of its unpacked content.
        spelled = {self.spelled(name): value for name, value in marks.items()}
        return {"Content-Type": kind or "application/octet-stream", **spelled}

    def spelled(self, name: str) -> str:
        """Return the name of a mark for this storage: Azure requires identifiers of C#."""
        return name.replace("-", "_") if self.scheme == "az" else name


def bare(etag: str | None) -> str | None:
    """Return an ETag without its quotes."""
    return None if etag is None else etag.removeprefix("W/").strip('"')


def quoted(etag: str) -> str:
    """Return an ETag as conditions of requests have it."""
    return f'"{etag}"'


def _ignore(_status: str | None) -> None:
    """Tell nobody."""
