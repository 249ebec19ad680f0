"""Sends files straight to the storage of the service, by the URLs that it signs for them."""

from __future__ import annotations

import hashlib
import mimetypes
import random
import re
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter

from handrail_synapse.clients.models import (
    ConfirmFileResult,
    ConfirmUploadResponse,
    PresignedFileInfo,
    PresignedUploadResponse,
)

if TYPE_CHECKING:
    from handrail_synapse.clients.backend import BackendClient

PROVIDERS = frozenset({"amazon_s3", "s3", "minio", "gcp", "gcs", "azure"})
"""The kinds of storages that take files so."""

_BLOCK = 1 << 20
_VALID_FOR = 3600  # Seconds.
_PATIENCE = (5, 120)  # Seconds to connect, and to read; with many files, an answer takes long.
_FILE_PATIENCE = 300.0
_MAY_PASS = frozenset({408, 425, 429})


def send_files(
    client: BackendClient,
    paths: list[Path],
    *,
    workers: int,
    batch: int,
    retries: int,
    on_progress: Callable[[int, int], object] | None,
) -> ConfirmUploadResponse:
    """Send files, and return which have arrived; see `BackendClient.upload_files_bulk`.

    Raises:
        ClientError: The service answered with an error.
    """
    results: list[ConfirmFileResult] = []
    with _session(workers) as session:
        sender = _Files(client, session, retries)

        def sent(count: int) -> None:
            if on_progress is not None:
                on_progress(count, len(paths))

        for at in range(0, len(paths), batch):
            results += sender.send(paths[at : at + batch], workers, at, sent)
    made = sum(each.success for each in results)
    return ConfirmUploadResponse(
        results=results, created_count=made, failed_count=len(results) - made
    )


@contextmanager
def _session(connections: int) -> Generator[requests.Session]:
    with requests.Session() as session:
        adapter = HTTPAdapter(pool_connections=connections, pool_maxsize=connections)
        for scheme in ("http://", "https://"):
            session.mount(scheme, adapter)
        yield session


class _Files:
    def __init__(self, client: BackendClient, session: requests.Session, retries: int) -> None:
        self._post = client._post  # pyright: ignore[reportPrivateUsage] - of this package
        self._session = session
        self._retries = retries

    def send(
        self, paths: list[Path], workers: int, before: int, sent: Callable[[int], None]
    ) -> Iterator[ConfirmFileResult]:
        """Send files, and yield whether each has arrived, by its path."""
        signed = self._signed(paths)
        of = {file.file_key: str(path) for file, path in zip(signed.files, paths, strict=True)}
        arrived: list[dict[str, Any]] = []
        with ThreadPoolExecutor(workers) as pool:
            started = {
                pool.submit(self._send, file, path): str(path)
                for file, path in zip(signed.files, paths, strict=True)
            }
            for count, done in enumerate(as_completed(started), before + 1):
                error = done.exception()
                if error is None:
                    arrived.append(done.result())
                else:
                    yield ConfirmFileResult(
                        file_key=started[done], checksum="", success=False, error=str(error)
                    )
                sent(count)
        if not arrived:
            return
        confirmed = self._post(
            "data_files/presigned_upload/confirm_upload/",
            None,
            ConfirmUploadResponse,
            data={"files": arrived},
            timeout=_PATIENCE,
        )
        for each in ConfirmUploadResponse.model_validate(confirmed).results:
            yield each.model_copy(update={"file_key": of.get(each.file_key, each.file_key)})

    def _signed(self, paths: list[Path]) -> PresignedUploadResponse:
        files = [
            {"filename": path.name, "size": path.stat().st_size, "content_type": _kind(path)}
            for path in paths
        ]
        answer = self._post(
            "data_files/presigned_upload/upload/",
            data={"files": files, "expiration": _VALID_FOR},
            timeout=_PATIENCE,
        )
        return PresignedUploadResponse.model_validate(answer)

    def _send(self, file: PresignedFileInfo, path: Path) -> dict[str, Any]:
        """Send a file as the service has said: as a whole, or in parts."""
        about = {"file_key": file.file_key, "size": path.stat().st_size}
        if file.multipart is not None:
            return {**about, **self._send_parts(file, path)}
        if file.presigned_url is None:
            raise ValueError(f"the service has given no URL for {path.name}")
        kind = _kind(path)
        headers = {"Content-Type": kind} if kind else {}
        digest = hashlib.sha1(usedforsecurity=False)
        with path.open("rb") as content:
            for block in iter(partial(content.read, _BLOCK), b""):
                digest.update(block)
            self._put(file.presigned_url, lambda: _rewound(content), headers)
        return {**about, "checksum": digest.hexdigest()}

    def _send_parts(self, file: PresignedFileInfo, path: Path) -> dict[str, Any]:
        assert file.multipart is not None
        digest, parts = hashlib.sha1(usedforsecurity=False), list[dict[str, Any]]()
        with path.open("rb") as content:
            for part in file.multipart.parts:
                block = content.read(file.multipart.part_size)
                if not block:
                    break
                digest.update(block)
                etag = self._put(part.presigned_url, partial(bytes, block), {})
                parts.append({"part_number": part.part_number, "etag": etag})
        sent = {"upload_id": file.multipart.upload_id, "parts": parts}
        return {"checksum": digest.hexdigest(), "multipart": sent}

    def _put(self, url: str, content: Callable[[], Any], headers: dict[str, str]) -> str:
        """Send content to a URL, again if that may help, and return the ETag of it.

        Raises:
            requests.RequestException: The storage was not reached, or refused.
        """
        for tried in range(self._retries + 1):
            try:
                answer = self._session.put(
                    url, data=content(), headers=headers, timeout=_FILE_PATIENCE
                )
                if answer.ok:
                    return answer.headers.get("ETag", "")
                # Without the URL, which is a secret.
                refused = requests.HTTPError(f"the storage answered {answer.status_code}")
                if tried == self._retries or not _may_pass(answer):
                    raise refused
            except requests.ConnectionError:
                if tried == self._retries:
                    raise requests.ConnectionError("the storage was not reached") from None
            # Not all of a batch at the same time again.
            time.sleep(random.uniform(0, 0.5 * 2**tried))
        raise AssertionError("the last attempt returns or raises")


def _may_pass(answer: requests.Response) -> bool:
    """Return whether to send again: not where the storage itself says that the request is wrong."""
    if answer.status_code >= 500 or answer.status_code in _MAY_PASS:
        return True
    return not re.search(rb"<Code>[^<]+</Code>", answer.content[:8192])


def _kind(path: Path) -> str | None:
    return mimetypes.guess_type(path.name)[0]


def _rewound(content: Any) -> Any:
    content.seek(0)
    return content
