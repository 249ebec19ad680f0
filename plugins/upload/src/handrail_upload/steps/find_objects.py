"""organize_files of a download: find the files of an upload, or the objects at a target."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, cast

from handrail import StepResult
from handrail_storage import pages
from handrail_upload.context import UploadContext
from handrail_upload.names import readable
from handrail_upload.steps.organize_files import (
    OrganizeFilesStep,
    no_files,
    result_of,
    search_of,
)

if TYPE_CHECKING:
    from handrail_upload.discovery import Search
    from handrail_upload.download import DownloadParams
    from handrail_upload.manifest import Manifest, SourceFile

_PAGE = 1000  # Files that are added at a time.


class FindObjectsStep(OrganizeFilesStep):
    """Find the files of an upload by its list of files, or all objects at a target."""

    def restore(self, context: UploadContext, result: StepResult) -> None:
        from handrail_upload.manifest.views import files_in

        context.organized_files = files_in(Path(context.manifest_path))

    def execute(self, context: UploadContext) -> StepResult:
        from handrail_upload.manifest.views import files_in

        options = cast("DownloadParams", context.options)
        manifest = context.use_manifest()
        manifest.clear()
        address, upload = options.whereabouts()
        searched = time.time_ns()
        manifest.describe(searched=searched, source=address)
        name_of = _any_text if context.use_storage().local else readable
        if upload is None:
            found = _at_target(context, manifest, name_of)
        else:
            found = _of_upload(upload, address, name_of)
        for page in pages(_chosen(found, search_of(context, searched), manifest), _PAGE):
            for file, other in manifest.add(page):
                manifest.note("clash", file.name, f"{other} would have the same name")
        manifest.keep()
        context.organized_files = files_in(manifest)
        result = result_of(manifest)
        if not (result.data["files"] or options.allow_nothing):
            raise no_files("download", options, result.data)
        return result


def _chosen(
    found: Iterator[SourceFile], search: Search, manifest: Manifest
) -> Iterator[SourceFile]:
    """Yield the files that are asked for; note those of another size or age."""
    from handrail_upload.patterns import Patterns

    include, exclude = Patterns(search.include or ("*",)), Patterns(search.exclude)
    for file in found:
        if not include.fit(file.name) or exclude.fit(file.name):
            continue
        if (
            search.sizes[0] <= file.size <= search.sizes[1]
            and search.times[0] <= file.mtime <= search.times[1]
        ):
            yield file
        else:
            manifest.note("outside", file.name, "its size or age is not asked for")


def _of_upload(upload: Path, address: str, name_of: Callable[[str], str]) -> Iterator[SourceFile]:
    """Yield the files that an upload has at its target, with the SHA-256 and the time of each."""
    from handrail_upload.manifest import STORED, Manifest, SourceFile

    with closing(Manifest(upload, make=False)) as manifest:
        for file in manifest.files(*STORED):
            path, key = f"{address}/{file.key}", name_of(_original(file))
            values = (path, readable(key), key, key, "file", file.size, file.mtime)
            yield SourceFile(*values, sha256=file.sha256 or None, version=file.version)


def _original(file: SourceFile) -> str:
    """Return the key of a file without the %XX that it was given for it."""
    if "%" not in file.key:
        return file.key
    name = "/".join(file.path.split("/")[-1 - file.key.count("/") :])
    return name if readable(name) == file.key else file.key


def _at_target(
    context: UploadContext, manifest: Manifest, name_of: Callable[[str], str]
) -> Iterator[SourceFile]:
    """Yield the objects at a target but for Handrail's own, with the version of each."""
    from handrail_upload.manifest import SourceFile
    from handrail_upload.storage.target import is_kept, real_place

    source = context.use_source()
    assert source is not None
    whole, target = map(real_place, (source.store.place, context.use_storage().place))
    below = target.address.removeprefix(f"{whole.address}/")
    own = "" if below == target.address else f"{below}/"
    left = False
    for found in source.store.listing():
        if is_kept(source.store.place, found.key):
            continue
        if own and found.key.startswith(own):
            if not left:
                manifest.note("own", readable(own), "it is the target")
            left = True
            continue
        # What marks a folder in a bucket has a slash at its end, which a listing leaves out.
        if found.size < 0 or (not found.size and source.store.stat(found.key) is None):
            manifest.note("special", readable(found.key), "it is no regular file")
            continue
        path, key = source.path_of(found.key), name_of(found.key)
        values = (path, readable(key), key, key, "file", found.size, found.modified)
        yield SourceFile(*values, version=found.version)


def _any_text(name: str) -> str:
    """Return a name for a folder, which may have control characters."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return readable(name)
    return name
