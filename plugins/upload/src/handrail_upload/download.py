"""The download action: an upload whose source is a target, or what an upload has stored there."""

# Annotations are not postponed here: pydantic would compile each of them by itself.

import re
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

from pydantic import ConfigDict, Field

from handrail import Argument
from handrail.errors import HandrailError
from handrail_storage.manifests import RUN, find_run
from handrail_upload.action import DefaultUploadAction
from handrail_upload.params import UploadParams

if TYPE_CHECKING:
    from handrail import StepRegistry


class DownloadParams(UploadParams):
    """Fetch what was uploaded, or any objects, into a folder or another bucket, and check it."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    if not TYPE_CHECKING:
        source: Annotated[str, Argument()] = Field(
            description="What to fetch: the number or the UUID of an upload, or a target, such as "
            "s3://bucket/path or a folder (./12 if its name is a number)",
        )
        # Params of an upload that a download has not.
        sources: ClassVar = {}
        collection: ClassVar = None
        catalogue: ClassVar = False  # Where the files are registered, they stay so.
        metadata_file: ClassVar = None
        metadata_key: ClassVar = None
        specification: ClassVar = None
        files_from: ClassVar = None
        hidden: ClassVar = True
        follow_links: ClassVar = False
        limit: ClassVar = None
        allow_empty: ClassVar = True
        checksum: ClassVar = False
        delete_missing: ClassVar = False
        max_delete: ClassVar = 0

    @property
    def folders(self) -> dict[str, Path]:
        """None: also a folder is read as a target."""
        return {}

    def whereabouts(self) -> tuple[str, Path | None]:
        """Return the address of the objects, and the list of files of the upload that has them.

        Raises:
            NotFoundError: There is no such upload.
            UploadError: It has not completed.
            StorageError: The source is malformed.
        """
        from handrail_upload.errors import UploadError
        from handrail_upload.manifest import Manifest
        from handrail_upload.storage import parse_target

        source = str(self.source)
        if not re.fullmatch(rf"\d+|{RUN}", source):
            return parse_target(source).address, None
        kept = find_run(self.folder, source, action="upload")
        with closing(Manifest(kept.path, make=False)) as manifest:
            about = manifest.description()
        if "finished" not in about:
            raise UploadError(f"the upload {kept.name} has not completed")
        return str(about["target"]), kept.path


class DownloadAction(DefaultUploadAction):
    """Fetch what was uploaded into a folder or another bucket, and check it; with the same undo.

    Run again, it fetches only what is missing.
    """

    action_name = "download"
    params_model = DownloadParams
    done = "downloaded"

    def setup_steps(self, registry: "StepRegistry[Any]") -> None:
        from handrail_upload.steps.cleanup import CleanupStep
        from handrail_upload.steps.find_objects import FindObjectsStep
        from handrail_upload.steps.initialize import InitializeStep
        from handrail_upload.steps.upload_files import UploadFilesStep
        from handrail_upload.steps.validate_files import ValidateFilesStep

        registry.register(InitializeStep())
        registry.register(FindObjectsStep())
        registry.register(ValidateFilesStep())
        registry.register(UploadFilesStep())
        registry.register(CleanupStep())

    def check_inputs(self) -> Iterable[tuple[str, str]]:
        from handrail_storage.inputs import missing
        from handrail_upload.storage import parse_target
        from handrail_upload.storage.target import real_place

        try:
            address, upload = cast("DownloadParams", self.params).whereabouts()
        except HandrailError as error:
            yield "source", error.message
            return
        place = parse_target(address)
        if real_place(place).is_same(real_place(parse_target(self.params.target))):
            yield "target", f"source and target are the same: {place.shown}"
        elif place.local and upload is None:
            yield from missing("folder", "source", place.path)
