"""Fetches the files that an answer of the service names by their URLs."""

from __future__ import annotations

import atexit
import base64
import hashlib
import mimetypes
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import requests

_BLOCK = 4 << 20
_PATIENCE = 30.0  # Seconds.


def fetch_files(
    answer: dict[str, Any],
    files_fields: Iterable[str],
    *,
    coerce: Callable[[Path], Any] | None = None,
    is_list: bool = False,
    **_unused: Any,
) -> None:
    """Put the paths of fetched files in the place of their URLs.

    Args:
        answer: The answer, which is changed.
        files_fields: The fields that have files: a URL, or by its name a URL or a dict with `url`,
            which becomes `path`. A dot leads into a field.
        coerce: Makes something else of each path.
        is_list: Whether the fields are those of the `results` of the answer.
    """
    for each in answer["results"] if is_list else [answer]:
        for field in files_fields:
            for place, key in _urls(each, field.split(".")):
                path = fetch(place.pop(key))
                place["path" if key == "url" else key] = coerce(path) if coerce else path


def _urls(obj: Any, names: list[str]) -> Iterator[tuple[MutableMapping[str, Any], str]]:
    """Yield where the URLs of a field are; nothing if there is no such field."""
    *above, last = names
    for name in above:
        obj = _fields(obj).get(name)
    holder = _fields(obj)
    found = holder.get(last)
    if isinstance(found, str):
        yield holder, last
    files = _fields(found)
    for name, each in list(files.items()):
        if isinstance(each, str):
            yield files, name
        elif "url" in _fields(each):
            yield each, "url"


def _fields(value: Any) -> MutableMapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def fetch(url: str) -> Path:
    """Return the path of a file that is fetched; the same for the same URL.

    Args:
        url: Its URL, whose query, such as a signature, does not count; or a `data:` URL.

    Raises:
        requests.RequestException: It cannot be fetched.
    """
    if url.startswith("data:"):
        return _decoded(url)
    parts = urlsplit(url)
    # The query may be a secret, so it is in no error either.
    plain = f"{parts.scheme}://{parts.netloc}{parts.path}"
    path = _path_of(plain, Path(parts.path).suffix)
    if not path.exists():
        try:
            _download(url, plain, path)
        except requests.ConnectionError:
            raise requests.ConnectionError(f"{plain} cannot be reached") from None
    return path


def _download(url: str, plain: str, path: Path) -> None:
    with (
        requests.get(url, stream=True, timeout=_PATIENCE) as response,
        tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file,
    ):
        if not response.ok:
            raise requests.HTTPError(f"{plain}: {response.status_code} {response.reason}")
        for block in response.iter_content(_BLOCK):
            file.write(block)
    Path(file.name).replace(path)


def _decoded(url: str) -> Path:
    head, _, content = url.partition(",")
    kind = head.removeprefix("data:").partition(";")[0]
    path = _path_of(url, mimetypes.guess_extension(kind) or "")
    path.write_bytes(base64.b64decode(content))
    return path


def _path_of(text: str, suffix: str) -> Path:
    return _folder() / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}{suffix}"


@cache
def _folder() -> Path:
    """Return a folder of this process, which is deleted when it ends."""
    folder = tempfile.mkdtemp(prefix="synapse-media-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def data_url(path: str | Path) -> str:
    """Return the content of a file as a `data:` URL.

    Raises:
        ValueError: Its kind cannot be told from its name.
    """
    kind, _ = mimetypes.guess_type(str(path))
    if kind is None:
        raise ValueError(f"Cannot determine MIME type for: {path}")
    content = base64.b64encode(Path(path).read_bytes()).decode("ascii")
    return f"data:{kind};base64,{content}"
