"""Collections of pictures: their units, sizes and annotations."""

from __future__ import annotations

from handrail_export.pictures.annotations import Annotations, CatalogueAnnotations
from handrail_export.pictures.collection import Collection, Found
from handrail_export.pictures.units import CatalogueFile, Unit

__all__ = ["Annotations", "CatalogueAnnotations", "CatalogueFile", "Collection", "Found", "Unit"]
