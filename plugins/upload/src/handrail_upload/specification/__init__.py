"""What a collection looks like: its roles, and which file is what in which data unit."""

from __future__ import annotations

from handrail_upload.specification.file import read_specification
from handrail_upload.specification.layout import Placed, Specification
from handrail_upload.specification.roles import FileRole

__all__ = ["FileRole", "Placed", "Specification", "read_specification"]
