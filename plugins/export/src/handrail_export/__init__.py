"""handrail-export: a table, a query or a catalogue of images becomes files, with a way back.

Every public name is imported from here on first use; the heavy libraries behind them only when a
run needs them.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

__version__ = "0.1.0"

with lazy_imports(__name__):
    from handrail_export.action import BaseExportAction as BaseExportAction
    from handrail_export.action import DefaultExportAction as DefaultExportAction
    from handrail_export.context import ExportContext as ExportContext
    from handrail_export.formats import CollectionFormat as CollectionFormat
    from handrail_export.formats import Picture as Picture
    from handrail_export.formats import RowFormat as RowFormat
    from handrail_export.formats import Shape as Shape
    from handrail_export.params import ExportParams as ExportParams
    from handrail_export.pictures import Annotations as Annotations
    from handrail_export.pictures import CatalogueAnnotations as CatalogueAnnotations
    from handrail_export.pictures import Unit as Unit
    from handrail_export.rows import Column as Column
    from handrail_export.rows import Rows as Rows
    from handrail_export.steps import ConvertDataStep as ConvertDataStep
    from handrail_export.steps import FetchResultsStep as FetchResultsStep
    from handrail_export.steps import FinalizeStep as FinalizeStep
    from handrail_export.steps import InitializeStep as InitializeStep
    from handrail_export.steps import PrepareExportStep as PrepareExportStep
    from handrail_export.steps import SaveFilesStep as SaveFilesStep
