"""Functions about files, for the steps of plugins: checksums, groups, and names."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from handrail_synapse.contexts import read_param
from handrail_synapse.upload.strategies import (
    EXCLUDED_DIRS,
    EXCLUDED_FILES,
    Group,
    first,
    names_of_groups,
)

TRANSFORMED_STEM_PATTERN = re.compile(r"^(.+?)_(\d+)$")
_LOG = logging.getLogger(__name__)


def calculate_checksums_parallel(
    organized_files: Iterable[Group],
    *,
    max_workers: int = 10,
    on_progress: Callable[[int, int], object] | None = None,
) -> dict[Path, str]:
    """Return the MD5 of each file of the groups, by its path; files that cannot be read have none.

    Raises:
        RuntimeError: None of them can be read.
    """
    paths = {
        Path(each)
        for group in organized_files
        for each in group.get("files", {}).values()
        if isinstance(each, str | Path)
    }
    sums: dict[Path, str] = {}
    with ThreadPoolExecutor(max_workers) as pool:
        running = {pool.submit(_md5, path): path for path in paths}
        for count, each in enumerate(as_completed(running), 1):
            try:
                sums[running[each]] = each.result()
            except OSError as error:
                _LOG.warning("no checksum of %s: %s", running[each], error)
            if on_progress is not None:
                on_progress(count, len(paths))
    if paths and not sums:
        raise RuntimeError(f"Failed to calculate checksums for all {len(paths)} files")
    return sums


def deduplicate_by_checksum(
    organized_files: Iterable[Group],
    checksums: Mapping[Path, str],
    *,
    primary_spec_name: str | None = None,
) -> tuple[list[Group], list[Group]]:
    """Return the groups of each checksum once, and those that are there already.

    The checksum of a group is that of its file `primary_spec_name`, or else of its first.
    """
    seen: set[str] = set()
    unique: list[Group] = []
    again: list[Group] = []
    for group in organized_files:
        if not group.get("files"):
            continue
        found = _checksum(group, checksums, primary_spec_name)
        (again if found in seen else unique).append(group)
        if found is not None:
            seen.add(found)
    return unique, again


def filter_existing_checksums(
    organized_files: Iterable[Group],
    checksums: Mapping[Path, str],
    existing_checksums: Collection[str],
    *,
    primary_spec_name: str | None = None,
) -> tuple[list[Group], list[Group]]:
    """Return the groups that are not in the service yet, and those that are."""
    new: list[Group] = []
    known: list[Group] = []
    for group in organized_files:
        if group.get("files"):
            found = _checksum(group, checksums, primary_spec_name)
            (known if found in existing_checksums else new).append(group)
    return new, known


def verify_checksums_batch(
    client: Any, checksums: Iterable[str], *, batch_size: int = 1000
) -> set[str]:
    """Return the checksums of files that the service has, as its client says."""
    found: set[str] = set()
    for batch in get_batched_list(list(checksums), batch_size):
        answer = client.verify_data_files_checksums(batch)
        found.update(answer.get("existing_checksums", []))
    return found


def normalize_groups(value: Any) -> list[str] | None:
    """Return the names of the groups of a data unit, given as one or as a list; None without."""
    return names_of_groups(value) or None


def apply_group_name(organized_files: Iterable[Group], params: Any) -> tuple[str | None, int]:
    """Put groups of files without a group of their own into that of the params.

    Returns:
        The name of that group, or None, and how many were put into it.
    """
    given: Any = read_param(params, "group_name")
    name = given.strip() if isinstance(given, str) else ""
    if not name:
        return None, 0
    without = [group for group in organized_files if not group.get("groups")]
    for group in without:
        group["groups"] = [name]
    return name, len(without)


def extract_origin_stem(file_stem: str) -> str | None:
    """Return `clip` for `clip_0012`, for files that were made of others; None for other names."""
    found = TRANSFORMED_STEM_PATTERN.match(file_stem)
    return found[1] if found else None


def find_metadata_for_transformed_file(
    file_stem: str, metadata: Mapping[str, dict[str, Any]]
) -> dict[str, Any] | None:
    """Return what a sheet says of the file of which another was made, if it says anything."""
    stems = {Path(name).stem: values for name, values in metadata.items()}
    origin = extract_origin_stem(file_stem)
    while origin is not None:
        if origin in stems:
            return stems[origin]
        origin = extract_origin_stem(origin)
    return None


def get_batched_list(items: list[Any], batch_size: int) -> list[list[Any]]:
    """Return the items in lists of at most `batch_size`."""
    size = max(1, batch_size)
    return [items[at : at + size] for at in range(0, len(items), size)]


def is_uploadable(file_path: Any) -> bool:
    """Return whether a file is there."""
    return hasattr(file_path, "exists") and bool(file_path.exists())


def is_valid_file_for_upload(file_path: Path | None, *, min_size: int = 1) -> bool:
    """Return whether a file is there and has at least so many bytes."""
    try:
        return file_path is not None and file_path.stat().st_size >= min_size
    except (OSError, AttributeError):
        return False


def count_uploadable_files(files: Iterable[Group]) -> int:
    """Return how many files of the groups are there."""
    return sum(is_uploadable(each) for group in files for each in group.get("files", {}).values())


__all__ = [
    "EXCLUDED_DIRS",
    "EXCLUDED_FILES",
    "TRANSFORMED_STEM_PATTERN",
    "apply_group_name",
    "calculate_checksums_parallel",
    "count_uploadable_files",
    "deduplicate_by_checksum",
    "extract_origin_stem",
    "filter_existing_checksums",
    "find_metadata_for_transformed_file",
    "get_batched_list",
    "is_uploadable",
    "is_valid_file_for_upload",
    "normalize_groups",
    "verify_checksums_batch",
]


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, _new_md5).hexdigest()


def _new_md5() -> Any:
    return hashlib.md5(usedforsecurity=False)


def _checksum(group: Group, checksums: Mapping[Path, str], name: str | None) -> str | None:
    files: dict[str, Any] = group["files"]
    path = first(files[name] if name in files else next(iter(files.values())))
    return None if path is None else checksums.get(path)
