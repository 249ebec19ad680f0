"""The import names of the Synapse SDK's step API, implemented by Handrail.

`install()` makes `synapse_sdk.plugins` and its modules importable, unless the real SDK is
installed. Names are imported on first use.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail_synapse.actions import BaseUploadAction as BaseUploadAction
    from handrail_synapse.actions import DefaultUploadAction as DefaultUploadAction
    from handrail_synapse.contexts import ExportContext as ExportContext
    from handrail_synapse.contexts import TrainContext as TrainContext
    from handrail_synapse.contexts import UploadContext as UploadContext
    from handrail_synapse.export.action import BaseExportAction as BaseExportAction
    from handrail_synapse.export.action import DefaultExportAction as DefaultExportAction
    from handrail_synapse.finder import install as install
    from handrail_synapse.finder import uninstall as uninstall
    from handrail_synapse.runtime import PluginEnvironment as PluginEnvironment
    from handrail_synapse.runtime import RuntimeContext as RuntimeContext
    from handrail_synapse.train.action import BaseTrainAction as BaseTrainAction

__all__ = [
    "BaseExportAction",
    "BaseTrainAction",
    "BaseUploadAction",
    "DefaultExportAction",
    "DefaultUploadAction",
    "ExportContext",
    "PluginEnvironment",
    "RuntimeContext",
    "TrainContext",
    "UploadContext",
    "install",
    "uninstall",
]

_HOMES = {
    "actions": ("BaseUploadAction", "DefaultUploadAction"),
    "contexts": ("ExportContext", "TrainContext", "UploadContext"),
    "finder": ("install", "uninstall"),
    "export.action": ("BaseExportAction", "DefaultExportAction"),
    "train.action": ("BaseTrainAction",),
    "runtime": ("PluginEnvironment", "RuntimeContext"),
}

if not TYPE_CHECKING:

    def __getattr__(name):
        for home, names in _HOMES.items():
            if name in names:
                value = getattr(import_module(f"{__name__}.{home}"), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *__all__})
