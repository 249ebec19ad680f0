"""What this pack does to workflows that are not its own: no upload without a scan."""

from __future__ import annotations

from typing import Any

from acme_scan.settings import ScanSettings
from handrail import ActionInfo, BaseStep, PackInfo, Plan, Problem, hookimpl


@hookimpl
def pack_info() -> PackInfo:
    """Say what may be set."""
    return PackInfo(settings=ScanSettings)


@hookimpl
def insert_before(
    action: ActionInfo, step: BaseStep[Any], settings: ScanSettings
) -> BaseStep[Any] | None:
    """Scan what is about to be sent."""
    if step.name != "upload_files":
        return None
    # What the scan needs of an upload is loaded for uploads only.
    from acme_scan.steps import ScanFiles
    from handrail_upload.context import UploadContext

    return ScanFiles(settings) if issubclass(action.context_type, UploadContext) else None


@hookimpl
def check_plan(action: ActionInfo, plan: Plan) -> list[Problem] | None:
    """Veto a plan that sends files before they were scanned."""
    sent, scanned = (plan.positions.get(name) for name in ("upload_files", "scan_files"))
    if sent is None or (scanned is not None and scanned < sent):
        return None
    planned = plan.steps[sent]
    how = "without scan_files" if scanned is None else "before scan_files"
    return [
        Problem(
            code="unscanned",
            message=f"upload_files of {planned.origin} would run {how}",
            origins=(planned.origin,),
            ways_out=(
                "derive the context of the workflow from handrail_upload.UploadContext",
                "name the step otherwise if it sends no files",
                "switch the pack off:  --no-pack acme-scan",
            ),
        )
    ]
