"""The base classes of exports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

import handrail
from handrail_synapse.actions import PluginCategory, TellsFailure, plain
from handrail_synapse.contexts import ExportContext
from handrail_synapse.export.params import ExportParams

if TYPE_CHECKING:
    from pydantic import BaseModel
    from typing_extensions import TypeVar

    from handrail_synapse.export.exporter import BaseExporter
    from handrail_synapse.export.handlers import ExportTargetHandler
    from handrail_synapse.messages import LogMessageCode

    P = TypeVar("P", default=Any)
else:
    from typing import TypeVar

    P = TypeVar("P")


class ExportProgressCategories:
    """Names of parts of an export, for `set_progress`."""

    DATASET_CONVERSION = "dataset_conversion"


class BaseExportAction(TellsFailure[P]):
    """An export with the steps of `setup_steps`, or its `execute` if it registers none.

    The result also has the counts of its context and, if set, `output_path`.

    Attributes:
        progress: Names of parts for `set_progress`.
    """

    action_name = "export"
    category = PluginCategory.EXPORT
    category_of_messages = "EXPORT"
    context_class = ExportContext
    progress = ExportProgressCategories()

    @classmethod
    def get_log_message_code_class(cls) -> type[LogMessageCode]:
        from handrail_synapse.export.codes import ExportLogMessageCode

        return ExportLogMessageCode

    def create_context(self) -> Any:
        chosen: Any = getattr(self.params, "filter", None)
        given = cast("Mapping[str, Any]", chosen if isinstance(chosen, Mapping) else {})
        params = plain(self.params)
        if isinstance(self.params, ExportParams):
            # What a plugin adds to the params is for its exporter.
            own = {name: params[name] for name in params.keys() - ExportParams.model_fields}
            if own:
                params["extra_params"] = {**(params.get("extra_params") or {}), **own}
        return self.context_with(ExportContext, params=params, project_id=given.get("project"))

    def result(self, context: Any) -> Mapping[str, Any]:
        path = getattr(context, "output_path", None)
        names = ("exported_count", "failed_count", "total_count")
        counted = {name: getattr(context, name, 0) for name in names}
        return counted if path is None else {**counted, "output_path": path}

    def get_filtered_results(self, filters: dict[str, Any]) -> tuple[Any, int]:
        """Return the items to export, and how many there are; override it.

        Raises:
            NotImplementedError: It is not overridden.
        """
        raise NotImplementedError(
            f"override get_filtered_results() in {type(self).__name__}: it has to return the items "
            "and their number, such as self.client.list_assignments(params=filters, list_all=True)"
        )

    def get_storage(self, storage_id: int) -> Any:
        """Return a storage by its number."""
        return self.client.get_storage(storage_id)

    def get_project(self, project_id: int) -> Any:
        """Return a project by its number."""
        return self.client.get_project(project_id)

    def get_project_configuration(self, project_id: int) -> Any:
        """Return the configuration of a project."""
        return self.get_project(project_id).get("configuration", {})


class _OfExporter(BaseExportAction[P]):
    """What the exports that write by an exporter share.

    Attributes:
        entrypoint: The exporter of the plugin.
        config: `data_expand`, whether the data of the items is asked for, and what their handler
            takes.
    """

    action_name = "export"
    params_model: ClassVar[type[BaseModel] | None] = ExportParams
    entrypoint: ClassVar[type[BaseExporter] | None] = None
    config: ClassVar[Mapping[str, Any]] = {}

    def exporter_class(self) -> type[BaseExporter]:
        """Return the exporter of the plugin; the general one, if it has none."""
        if self.entrypoint is not None:
            return self.entrypoint
        from handrail_synapse.export.exporter import BaseExporter

        return BaseExporter


class DefaultExportAction(_OfExporter[P]):
    """The export of six steps: `initialize` to `finalize`."""

    action_name = "export"

    def setup_steps(self, registry: handrail.StepRegistry[Any]) -> None:
        from handrail_synapse.export.steps import default_steps

        for step in default_steps():
            registry.register(step)

    def create_context(self) -> Any:
        context: ExportContext = super().create_context()
        exporter = self.exporter_class()
        context.exporter_class = exporter
        context.config = dict(self.config or {})
        context.label_output_dirname = getattr(exporter, "label_output_dirname", "labels")
        managed = getattr(exporter, "sdk_managed_original_files", True)
        context.sdk_managed_original_files = managed is not False
        return context


class ExportAction(_OfExporter[P]):
    """An export without steps, and so without an undo: the exporter does all of it."""

    action_name = "export"

    def get_filtered_results(  # type: ignore[override]
        self,
        filters: dict[str, Any],
        handler: ExportTargetHandler,  # pyright: ignore[reportIncompatibleMethodOverride]
    ) -> tuple[Any, int]:
        """Return the items to export, and how many there are."""
        return handler.get_results(self.client, filters, ctx=self.ctx)

    def execute(self) -> Any:
        """Fetch the items, and let the exporter write them."""
        from handrail_synapse.export.handlers import TargetHandlerFactory
        from handrail_synapse.storages.session import StorageSession, get_pathlib

        params: Any = self.params
        handler = TargetHandlerFactory.get_handler(params.target, self.config)
        filters = dict(params.filter)
        if self.config.get("data_expand", True):
            filters["expand"] = "data"
        self.set_progress(0, 1, "fetch")
        results, count = self.get_filtered_results(filters, handler)
        self.set_progress(1, 1, "fetch")
        if count == 0:
            self.log("export_info", {"message": "No results found for export"})
            return {"exported_count": 0}
        about = {"message": f"Retrieved {count} results for export", "count": count}
        self.log("export_info", about)
        told: dict[str, Any] = {
            "name": params.name,
            "count": count,
            "save_original_file": params.save_original_file,
            **(params.extra_params or {}),
        }
        project = params.filter.get("project")
        if project is not None:
            told["configuration"] = self.get_project_configuration(project)
        storage = StorageSession.open(self.client, params.storage, "write")
        root = get_pathlib(storage, params.path)
        exporter = self.exporter_class()(self.ctx, handler.get_export_item(results), root, **told)
        answer = exporter.export()
        self.log("export_completed", {"message": "Export completed successfully"})
        return answer
