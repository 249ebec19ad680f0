"""The report of an upload: which files arrived, and why others did not."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class UploadStatus(StrEnum):
    """Whether a file arrived."""

    SUCCESS = "success"
    FAILED = "failed"


class ImportFailureCode(StrEnum):
    """Why a file did not arrive."""

    DUPLICATE_FILE = "DUPLICATE_FILE"
    FILE_LOCKED = "FILE_LOCKED"
    FILE_CORRUPTED = "FILE_CORRUPTED"
    UNSUPPORTED_EXTENSION = "UNSUPPORTED_EXTENSION"
    FILE_TOO_LARGE = "FILE_TOO_LARGE"
    MISSING_REQUIRED_DATA = "MISSING_REQUIRED_DATA"
    VFR_VALIDATION_FAILED = "VFR_VALIDATION_FAILED"
    UNSAFE_CONTENT = "UNSAFE_CONTENT"
    INVALID_METADATA = "INVALID_METADATA"
    INVALID_LABEL = "INVALID_LABEL"
    UPLOAD_FAILED = "UPLOAD_FAILED"
    DATA_UNIT_CREATION_FAILED = "DATA_UNIT_CREATION_FAILED"
    UNKNOWN_ERROR = "UNKNOWN_ERROR"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class ImportResultEntry:
    """One file of the report; what users do not see is from `file_path` on."""

    import_request_id: str
    original_file_name: str
    import_status: UploadStatus
    failure_reason_code: ImportFailureCode | None = None
    failure_reason_detail: str | None = None
    processed_at: datetime = field(default_factory=_now)
    file_path: str | None = None
    file_size: int | None = None
    checksum: str | None = None
    data_unit_id: int | None = None


_FOR_USERS = 6  # Fields of an entry.


@dataclass
class ImportResultLog:
    """The report.

    Attributes:
        import_request_id: What names the upload, such as `IMP-20260311-17`.
    """

    job_id: int | None = None
    storage_id: int | None = None
    data_collection_id: int | None = None
    started_at: datetime = field(default_factory=_now)
    import_request_id: str = ""
    entries: list[ImportResultEntry] = field(default_factory=list[ImportResultEntry])
    completed_at: datetime | None = None

    def __post_init__(self) -> None:
        day = f"{self.started_at:%Y%m%d}"
        self.import_request_id = self.import_request_id or f"IMP-{day}-{self.job_id or 'LOCAL'}"

    @property
    def total_files(self) -> int:
        """The number of files."""
        return len(self.entries)

    @property
    def success_count(self) -> int:
        """The number of those that arrived."""
        return sum(each.import_status == UploadStatus.SUCCESS for each in self.entries)

    @property
    def failed_count(self) -> int:
        """The number of those that did not."""
        return self.total_files - self.success_count

    def add_success_entry(self, original_file_name: str, **about: Any) -> None:
        """Add a file that arrived."""
        self.entries.append(
            ImportResultEntry(
                self.import_request_id, original_file_name, UploadStatus.SUCCESS, **about
            )
        )

    def add_failure_entry(
        self,
        original_file_name: str,
        failure_code: ImportFailureCode,
        failure_detail: str | None = None,
        **about: Any,
    ) -> None:
        """Add a file that did not arrive."""
        self.entries.append(
            ImportResultEntry(
                self.import_request_id,
                original_file_name,
                UploadStatus.FAILED,
                failure_code,
                failure_detail,
                **about,
            )
        )

    def finalize(self) -> None:
        """Note that nothing more comes."""
        self.completed_at = _now()

    def to_user_dict(self) -> dict[str, Any]:
        """Return it in JSON types, with what users may see."""
        return self._dict(_FOR_USERS)

    def to_admin_dict(self) -> dict[str, Any]:
        """Return all of it in JSON types."""
        numbers = {name: getattr(self, name) for name in ("job_id", "storage_id")}
        return {**self._dict(None), **numbers, "data_collection_id": self.data_collection_id}

    def _dict(self, fields: int | None) -> dict[str, Any]:
        entries = [dict(list(asdict(each).items())[:fields]) for each in self.entries]
        for each in entries:
            each["processed_at"] = each["processed_at"].isoformat()
        counts = ("total_files", "success_count", "failed_count")
        return {
            "import_request_id": self.import_request_id,
            **{name: getattr(self, name) for name in counts},
            "entries": entries,
            "started_at": self.started_at.isoformat(),
            "completed_at": self.completed_at and self.completed_at.isoformat(),
        }
