"""The import names of the Synapse SDK's step API, implemented by Handrail.

`install()` makes `synapse_sdk.plugins` and its modules importable, unless the real SDK is
installed. Names are imported on first use.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

__version__ = "0.1.0"

with lazy_imports(__name__):
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
