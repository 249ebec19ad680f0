"""Collections of pictures: what belongs together, how large each is, and what is in it."""

from __future__ import annotations

from handrail_export.pictures.annotations import Annotations, CatalogueAnnotations
from handrail_export.pictures.collection import Collection, Found
from handrail_export.pictures.units import CatalogueFile, Unit

__all__ = ["Annotations", "CatalogueAnnotations", "CatalogueFile", "Collection", "Found", "Unit"]
