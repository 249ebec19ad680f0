"""validate_files: stop, or leave files out, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from handrail import BaseStep, StepResult
from handrail_storage import count_text, pages
from handrail_upload.context import UploadContext
from handrail_upload.errors import InvalidFilesError, SourceError

if TYPE_CHECKING:
    from handrail_upload.manifest import Manifest, SourceFile
    from handrail_upload.specification import Specification
    from handrail_upload.validation import Validation


_PAGE = 1000  # Files that are looked at at a time.
_SHOWN = 100  # Problems that are listed one by one; the manifest has them all.

# Files left alone that may have been meant to be uploaded.
_PROBLEMS = ("unreadable", "clash", "unplaced")


class ValidateFilesStep(BaseStep[UploadContext]):
    """Check each file, and that no unit lacks a file that is required.

    Args:
        validation: The checks of a file; size, extension and limits unless given.
    """

    name = "validate_files"
    progress_weight = 0.10
    effects = False

    def __init__(self, validation: Validation | None = None) -> None:
        self.validation = validation

    def execute(self, context: UploadContext) -> StepResult:
        from handrail_upload.manifest import FOUND

        context.needs("organize_files")
        manifest = context.use_manifest()
        self._look(context, manifest)
        long = _leave_long_names(context, manifest)
        if context.use_storage().local and context.use_source() is not None:
            _leave_folders(manifest)
        manifest.keep()
        problems = 0
        first: list[str] = []
        lists_all = not context.manifest_path  # A dry run leaves no manifest to look into.
        for name, why in manifest.problems(*_PROBLEMS):
            problems += 1
            if problems <= _SHOWN:
                first.append(f"{name}: {why}")
            if lists_all or problems <= _SHOWN:
                context.log("invalid_file", {"summary": why}, name)
        failed = _tolerated(context, manifest, problems, long)
        stop = problems > failed and context.options.on_invalid == "fail"
        if problems > _SHOWN and not lists_all:
            # The undo takes the manifest away.
            where = "" if stop else f"; {manifest.path} has them all"
            context.log("invalid_file", {"summary": f"and {problems - _SHOWN:,} more{where}"})
        if stop:
            how = "uploaded" if context.use_source() is None else "downloaded"
            some_empty = any(problem.endswith(": is empty") for problem in first)
            raise InvalidFilesError(
                f"{count_text(problems, 'file')} cannot be {how}: {first[0]}"
                + (f", and {problems - 1:,} more" if problems > 1 else ""),
                problems=first,
                ways_out=(
                    "repair or exclude them, or leave them out: --on-invalid skip",
                    *(["if they may be empty: --allow-empty"] if some_empty else []),
                ),
            )
        valid = manifest.count(FOUND)
        if problems and not (valid or context.options.allow_nothing):
            raise SourceError(
                f"there is nothing left to send: {count_text(problems, 'file')} would be left out, "
                f"such as {first[0]}",
                ways_out=("repair them", "if that is right: --allow-nothing"),
            )
        left = f", {problems:,} left out" if problems else ""
        summary = f"{count_text(valid, 'file')} valid{left}"
        data = {"summary": summary, "valid": valid, "problems": first}
        return StepResult(data={**data, "failed": failed, "left_out": problems})

    def _look(self, context: UploadContext, manifest: Manifest) -> None:
        from handrail_upload.manifest import FOUND, INVALID
        from handrail_upload.validation import FileValidation

        validation = self.validation or FileValidation(allow_empty=context.options.allow_empty)
        specification = context.specification
        for files in pages(_doubtful(manifest, validation, specification), _PAGE):
            invalid: list[SourceFile] = []
            for file in files:
                found = list(validation.problems(file, specification))
                if found:
                    why = "; ".join(each.removeprefix(f"{file.name} ") for each in found)
                    invalid.append(replace(file, state=INVALID, problem=why))
            manifest.update(invalid)
        if specification is None:
            return
        for unit, missing in manifest.incomplete_units(specification.required):
            why = f"unit {unit} has no {' and no '.join(missing)}"
            manifest.update(
                replace(file, state=INVALID, problem=why)
                for file in manifest.files_of(unit)
                if file.state == FOUND
            )


def _leave_long_names(context: UploadContext, manifest: Manifest) -> int:
    """Note the files whose names are too long for the target; return their number."""
    from handrail_upload.manifest import FOUND, INVALID

    is_too_long = context.use_storage().is_too_long
    count, why = 0, "its name is too long for the target"
    for page in manifest.numbered_keys(FOUND):
        for number in [number for number, key in page if is_too_long(key)]:
            [file] = manifest.files(FOUND, first=number, last=number)
            manifest.update([replace(file, state=INVALID, problem=why)])
            count += 1
    return count


def _leave_folders(manifest: Manifest) -> None:
    """Note the objects that cannot be files in a folder, as they would be folders there, too."""
    from handrail_upload.manifest import FOUND, INVALID

    for page in manifest.above_others():
        for number, other in page:
            [file] = manifest.files(FOUND, first=number, last=number)
            why = f"a folder has to have this name, that of {other}"
            manifest.update([replace(file, state=INVALID, problem=why)])


def _tolerated(context: UploadContext, manifest: Manifest, problems: int, long: int) -> int:
    """Return the number of files that cannot be sent, if the run may go on without them."""
    from handrail_upload.tolerance import most_of

    failed = manifest.oddity_counts().get("unreadable", 0) + long
    most = most_of(context.options.max_failed_files, manifest.count() + failed - long)
    strict = context.options.on_invalid == "fail"
    return failed if strict and problems == failed <= most else 0


def _doubtful(
    manifest: Manifest, validation: Validation, specification: Specification | None
) -> Iterator[SourceFile]:
    """Return the files that the validation may find something wrong with."""
    from handrail_upload.manifest import FOUND
    from handrail_upload.validation import FileValidation

    if specification is None and type(validation) is FileValidation:
        return iter(()) if validation.allow_empty else manifest.files(FOUND, largest=0)
    return manifest.files(FOUND)
