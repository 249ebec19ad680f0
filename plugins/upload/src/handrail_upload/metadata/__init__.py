"""Reads sheets with metadata of files: CSV, TSV, JSONL and XLSX."""

from __future__ import annotations

from handrail_upload.metadata.reader import SheetMetadata
from handrail_upload.metadata.rows import JSONValue, Metadata, Row

__all__ = ["JSONValue", "Metadata", "Row", "SheetMetadata"]
