"""What the service is sent, and what it answers, as models that validate it."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class StorageCategory(StrEnum):
    """Whose a storage is."""

    INTERNAL = "internal"
    EXTERNAL = "external"


class StorageProvider(StrEnum):
    """The kinds of storages that the service knows."""

    AMAZON_S3 = "amazon_s3"
    AZURE = "azure"
    DIGITAL_OCEAN = "digital_ocean"
    FILE_SYSTEM = "file_system"
    FTP = "ftp"
    SFTP = "sftp"
    MINIO = "minio"
    GCP = "gcp"
    SYNOLOGY = "synology"
    SMB = "smb"


class JobStatus(StrEnum):
    """The state of a job."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Storage(_Answer):
    """A storage; its `configuration` may have secrets."""

    id: int
    name: str
    category: StorageCategory
    provider: str
    configuration: dict[str, Any] = Field(repr=False)
    is_default: bool = False


class Agent(_Answer):
    """An agent; its token is a secret."""

    id: int
    name: str
    url: str | None = None
    status: str | None = None
    token: str | None = Field(default=None, repr=False)
    node_install_script: str | None = Field(default=None, repr=False)

    @property
    def is_connected(self) -> bool:
        """Whether the service reaches it."""
        return (self.status or "").lower() == "connected"

    def extract_token(self) -> str | None:
        """Return its token, if need be from its script."""
        found = re.search(r"agents/([a-f0-9]{40})/", self.node_install_script or "")
        return self.token or (found[1] if found else None)


class ChunkedUploadResponse(_Answer):
    """How far a file is that is sent in chunks."""

    id: str | int
    url: str
    offset: int
    filename: str | None = None


class ChunkedUploadFinalizeResponse(_Answer):
    """A file that was sent in chunks."""

    id: str | int
    file: str | None = None
    checksum: str | None = None
    size: int | None = None
    completed_at: str | None = None
    status: int | None = None


class DataFileResponse(_Answer):
    """A file of the service."""

    id: int
    file: str | None = None
    checksum: str
    size: int | None = None
    created_at: str | None = None
    updated_at: str | None = None


class ConfirmFileResult(_Answer):
    """Whether a file has arrived; `file_key` is the path from which it was sent."""

    file_key: str
    checksum: str
    data_file_id: int | None = None
    success: bool
    error: str | None = None


class ConfirmUploadResponse(_Answer):
    """Whether files have arrived."""

    results: list[ConfirmFileResult]
    created_count: int
    failed_count: int


class PresignedUploadPart(_Answer):
    """Where one part of a file is sent."""

    part_number: int
    presigned_url: str


class MultipartUploadInfo(_Answer):
    """Where the parts of a file are sent."""

    upload_id: str
    part_size: int
    parts: list[PresignedUploadPart]


class PresignedFileInfo(_Answer):
    """Where a file is sent: as a whole, or in parts."""

    filename: str
    file_key: str
    presigned_url: str | None = None
    multipart: MultipartUploadInfo | None = None


class PresignedUploadResponse(_Answer):
    """Where files are sent."""

    files: list[PresignedFileInfo]
    expires_at: str


class UpdateJobRequest(_Request):
    """What a job is told; all of it may be left out."""

    status: JobStatus | None = None
    progress_record: dict[str, Any] | None = None
    metrics_record: dict[str, Any] | None = None
    console_logs: dict[str, Any] | list[dict[str, Any]] | None = None
    result: dict[str, Any] | list[Any] | None = None
    meta: dict[str, Any] | None = None


class PluginRunRequest(_Request):
    """Which action of a plugin is to run, and with what."""

    agent: int | None = None
    action: str | None = None
    params: dict[str, Any] | None = None
    storage_id: int | None = None
    job_id: int | None = None
    debug: bool | None = None
    version: str | None = None
    language: str = "ko"


class PluginReleaseCreateRequest(_Request):
    """A release of a plugin."""

    plugin: str
    version: str
    config: dict[str, Any] | None = None
    requirements: list[str] | None = None
    debug: bool = False


class ModelCreateRequest(_Request):
    """A model; its file is that of `chunked_upload`."""

    name: str
    plugin: str | None = None
    version: str | None = None
    checkpoint: int | None = None
    chunked_upload: int | str | None = None
    configuration: dict[str, Any] | None = None
    description: str | None = None


class ServeApplicationCreateRequest(_Request):
    """An application that a job serves."""

    job: int | str
    status: str | None = None
    data: dict[str, Any] | None = None


class TaskCreateRequest(_Request):
    """Tasks of a project."""

    project: int
    data: list[dict[str, Any]]


class SetTagsRequest(_Request):
    """Tags to `add` to tasks or assignments, or to `remove`."""

    ids: list[int]
    tags: list[int]
    action: str = "add"


class DataUnitCreateRequest(_Request):
    """A data unit: files by the names of their specifications, with `checksum` and `path`."""

    data_collection: int
    files: dict[str, dict[str, Any]]
    meta: dict[str, Any] | None = None
    groups: list[str] | None = None
