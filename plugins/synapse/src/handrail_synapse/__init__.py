"""The import names of the Synapse SDK's step API, implemented by Handrail.

`install()` makes `synapse_sdk.plugins` and its modules importable, unless the real SDK is
installed. Names are imported on first use.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail_synapse.actions import BaseExportAction as BaseExportAction
    from handrail_synapse.actions import BaseTrainAction as BaseTrainAction
    from handrail_synapse.actions import BaseUploadAction as BaseUploadAction
    from handrail_synapse.actions import DefaultUploadAction as DefaultUploadAction
    from handrail_synapse.contexts import ExportContext as ExportContext
    from handrail_synapse.contexts import TrainContext as TrainContext
    from handrail_synapse.contexts import UploadContext as UploadContext
    from handrail_synapse.finder import install as install
    from handrail_synapse.finder import uninstall as uninstall
    from handrail_synapse.runtime import PluginEnvironment as PluginEnvironment
    from handrail_synapse.runtime import RuntimeContext as RuntimeContext

_HOMES = {
    "BaseExportAction": "actions",
    "BaseTrainAction": "actions",
    "BaseUploadAction": "actions",
    "DefaultUploadAction": "actions",
    "ExportContext": "contexts",
    "PluginEnvironment": "runtime",
    "RuntimeContext": "runtime",
    "TrainContext": "contexts",
    "UploadContext": "contexts",
    "install": "finder",
    "uninstall": "finder",
}

__all__ = list(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]

if not TYPE_CHECKING:

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *__all__})
