"""The upload action, and the base for uploads of your own."""

# Annotations are not postponed here: each one of a TypedDict would be compiled by itself.

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from handrail import BaseAction
from handrail_upload.params import UploadParams

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import TypeVar

    from handrail import BaseStepContext, StepRegistry
    from handrail_upload.context import UploadContext

    P = TypeVar("P", default=Any)
else:
    from typing import TypeVar

    P = TypeVar("P")


class UploadResult(TypedDict, total=False):
    """The result of an upload, and its outputs in a chain.

    Attributes:
        summary: One line about it.
        uploaded_files: Number of files that were sent.
        unchanged_files: Number of files that were there already.
        skipped_files: Number of files that were skipped.
        left_out_files: Number of files without which the upload went on, as they changed or could
            not be sent.
        completed_with: How many files that are, for the last line about the run; missing if none.
        deleted_files: Number of files that were deleted at the target.
        bytes: Size of what was sent.
        seconds: How long that took.
        data_units: Number of new data units.
        replaced: What was replaced, if anything was: `files` and `bytes`, whether it is `kept` at
            the target, and `until` when; without that, until the run is pruned.
        run: The UUID of the run.
        catalogue: The catalogue: the path of an SQLite file, or a URL; missing if the files were
            not registered.
        target: Where the files are.
        next: Commands that can follow, each by its purpose.
    """

    summary: str
    uploaded_files: int
    unchanged_files: int
    skipped_files: int
    left_out_files: int
    completed_with: str
    deleted_files: int
    bytes: int
    seconds: float
    data_units: int
    replaced: Mapping[str, Any]
    run: str
    catalogue: str
    next: Mapping[str, str]


class BaseUploadAction(BaseAction[P]):
    """An upload with any params and the steps that `setup_steps` registers.

    The result counts `uploaded_files` and `data_units`.
    """

    action_name = "upload"

    @classmethod
    def context_type(cls) -> "type[BaseStepContext]":
        from handrail_upload.context import UploadContext

        return cls.context_class or UploadContext

    def result(self, context: Any) -> Mapping[str, Any]:
        found = {name: getattr(context, name, None) for name in ("uploaded_files", "data_units")}
        return {name: len(value) for name, value in found.items() if value is not None}


class DefaultUploadAction(BaseUploadAction[UploadParams]):
    """Upload a folder to object storage and register it; what fails is taken back.

    Run again, it sends only what is new. Only with --delete-missing is something at the target
    deleted because it is missing in the source.
    """

    action_name = "upload"
    done = "uploaded"

    def setup_steps(self, registry: "StepRegistry[Any]") -> None:
        from handrail_upload.steps.analyze_collection import AnalyzeCollectionStep
        from handrail_upload.steps.cleanup import CleanupStep
        from handrail_upload.steps.generate_data_units import GenerateDataUnitsStep
        from handrail_upload.steps.initialize import InitializeStep
        from handrail_upload.steps.organize_files import OrganizeFilesStep
        from handrail_upload.steps.process_metadata import ProcessMetadataStep
        from handrail_upload.steps.upload_files import UploadFilesStep
        from handrail_upload.steps.validate_files import ValidateFilesStep

        registry.register(InitializeStep())
        registry.register(ProcessMetadataStep())
        registry.register(AnalyzeCollectionStep())
        registry.register(OrganizeFilesStep())
        registry.register(ValidateFilesStep())
        registry.register(UploadFilesStep())
        registry.register(GenerateDataUnitsStep())
        registry.register(CleanupStep())

    def check_inputs(self) -> Iterable[tuple[str, str]]:
        from handrail_storage.inputs import missing

        # An upload with params of its own may lack some.
        given = vars(self.params)
        roles: Mapping[str, Path] = given.get("sources") or {}
        source: Path | None = given.get("source")
        if source is not None:
            problems = list(missing("folder", "source", source))
            if not (problems or given.get("allow_nothing") or any(source.iterdir())):
                why = "is empty; check that its disk is mounted, or give --allow-nothing"
                problems = [("source", f"the folder {source} {why}")]
            yield from problems
        for role, folder in roles.items():
            yield from missing("folder", f"sources.{role}", folder)
        # How the metadata file is read, and from where, is a matter of the strategy.
        for name in ("specification", "files_from"):
            path = given.get(name)
            if path is not None and str(path) != "-":
                yield from missing("file", name, path)

    def result(self, context: "UploadContext") -> UploadResult:
        from handrail_storage import count_text, size_text
        from handrail_upload.steps.upload_files import outcome_text

        names = "validate_files", "upload_files", "generate_data_units"
        checked, sent, units = (_data(context, name) for name in names)
        size, seconds = sent.get("bytes", 0), sent.get("seconds", 0.0)
        rate = f" in {seconds:.1f}s ({size_text(size / seconds)}/s)" if size and seconds else ""
        where = ""
        if "units" in units:  # Not in a dry run, nor where the step was left out.
            where = f" · {count_text(units['units'], 'unit')} in {units['catalogue']}"
        ended = _data(context, "cleanup")
        kept = f" · {ended['summary']}" if ended.get("replaced") else ""
        of_run = f"{context.run_name}{_folder_option(context)}"
        following = {"check": f"handrail upload verify {of_run}"}
        words = ("new", "replaced", "unchanged", "skipped", "left_out", "deleted")
        counts = {each: sent.get(each, 0) for each in words}
        counts["left_out"] += checked.get("left_out", 0)
        ignored = _data(context, "organize_files").get("left") or checked.get("problems")
        states = ["left-out"] * bool(ignored or counts["left_out"])
        if states := [*states, *["deleted"] * bool(counts["deleted"])]:
            following["which"] = f"handrail upload files {of_run} --state {','.join(states)}"
        result: UploadResult = {
            "summary": f"{self.done} {outcome_text(counts)} to {context.options.target} · "
            f"{size_text(size)}{rate}{where}{kept}",
            "uploaded_files": counts["new"] + counts["replaced"],
            "unchanged_files": counts["unchanged"],
            "skipped_files": counts["skipped"],
            "left_out_files": counts["left_out"],
            "deleted_files": counts["deleted"],
            "bytes": size,
            "seconds": seconds,
            "data_units": units.get("added", 0),
            "run": context.run,
        }
        if counts["left_out"]:
            result["completed_with"] = f"{counts['left_out']:,} left out"
        if kept:
            result["replaced"] = ended["replaced"]
        if "catalogue" in units:
            result["catalogue"] = units["catalogue"]
        if context.manifest_path and (units or (sent and not context.options.registers)):
            result["next"] = following
        return result


def _folder_option(context: "UploadContext") -> str:
    import shlex

    folder = context.options.folder
    default = UploadParams.model_fields["folder"].default
    return "" if folder == default else f" --state-folder {shlex.quote(str(folder))}"


def _data(context: "UploadContext", step: str) -> dict[str, Any]:
    result = context.results.get(step)
    return {} if result is None else result.data
