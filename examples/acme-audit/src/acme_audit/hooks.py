"""What this pack does to uploads: a record of each, whatever happens."""

from __future__ import annotations

from typing import Any

from acme_audit.settings import AuditSettings
from handrail import ActionInfo, PackInfo, StepRegistry, hookimpl


@hookimpl
def pack_info() -> PackInfo:
    """Say what may be set."""
    return PackInfo(settings=AuditSettings)


@hookimpl
def setup_steps(action: ActionInfo, registry: StepRegistry[Any], settings: AuditSettings) -> None:
    """Open a record, note what the scan says where there is one, and close the record."""
    if "upload" not in action.lineage:
        return
    from acme_audit.steps import AuditClose, AuditOpen, AuditScan

    registry.insert_before("initialize", AuditOpen(settings), if_missing="skip")
    # The step of another pack, which may be absent.
    registry.insert_after("scan_files", AuditScan(settings), if_missing="skip")
    registry.register(AuditClose(settings))
