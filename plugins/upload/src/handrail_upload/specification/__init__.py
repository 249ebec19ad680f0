"""The specification of a collection: its roles, and the role and data unit of each file."""

from __future__ import annotations

from handrail_upload.specification.file import read_specification
from handrail_upload.specification.layout import Specification
from handrail_upload.specification.roles import FileRole

__all__ = ["FileRole", "Specification", "read_specification"]
