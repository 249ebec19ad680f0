"""The table of SDK names and their places in Handrail, and its lookup."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec

ROOT = "synapse_sdk"

# A name resolves to the first of its places that is installed and has it.
Places = tuple[str, ...]


def _names(module: str, *names: str) -> dict[str, Places]:
    return dict.fromkeys(names, (module,))


def _own(pack: str, module: str, *names: str) -> dict[str, Places]:
    return dict.fromkeys(names, (pack, f"handrail_synapse.{module}"))


_UTILITIES = _names("handrail_utils", "LoggingStep", "TimingStep", "ValidationStep")
_STEPS = _names(
    "handrail", "BaseStep", "BaseStepContext", "Orchestrator", "StepRegistry", "StepResult"
)
_UPLOAD = _own("handrail_upload", "actions", "BaseUploadAction")
_TRAIN = _own("handrail_train", "actions", "BaseTrainAction")
_EXPORT = _own("handrail_export", "actions", "BaseExportAction")
_RUNTIME = _names("handrail_synapse.runtime", "PluginEnvironment", "RuntimeContext")

MODULES: Mapping[str, Mapping[str, Places]] = {
    ROOT: {},
    f"{ROOT}.plugins": {**_names("handrail", "BaseAction"), **_UPLOAD, **_TRAIN, **_EXPORT},
    f"{ROOT}.plugins.actions": {**_UPLOAD, **_TRAIN, **_EXPORT},
    f"{ROOT}.plugins.actions.export": {
        **_EXPORT,
        **_own("handrail_export", "contexts", "ExportContext"),
    },
    f"{ROOT}.plugins.actions.train": {
        **_TRAIN,
        **_own("handrail_train", "contexts", "TrainContext"),
    },
    f"{ROOT}.plugins.actions.upload": {
        **_UPLOAD,
        **_own("handrail_upload", "contexts", "UploadContext"),
    },
    f"{ROOT}.plugins.context": _RUNTIME,
    f"{ROOT}.plugins.steps": {**_STEPS, **_UTILITIES},
    f"{ROOT}.plugins.steps.utils": _UTILITIES,
}


def submodules(module: str) -> dict[str, str]:
    """Return the short and the full name of each module directly below `module`."""
    below = {name: name.rpartition(".") for name in MODULES}
    return {short: name for name, (parent, _, short) in below.items() if parent == module}


def public_names(module: str) -> list[str]:
    """Return the sorted names that can be imported from `module`."""
    return sorted({*MODULES[module], *submodules(module)})


def resolve(module: str, name: str) -> object:
    """Return the object for `name` in `module`.

    Raises:
        AttributeError: There is no such name; the message lists those that exist.
    """
    below = submodules(module)
    if name in below:
        return import_module(below[name])
    for place in MODULES[module].get(name, ()):
        if find_spec(place.partition(".")[0]) is None:
            continue
        found = getattr(import_module(place), name, None)
        if found is not None:
            return found
    raise AttributeError(missing(module, name), name=name)


def missing(module: str, name: str) -> str:
    """Return the message that `module` has no `name`, with the names that it has."""
    known = public_names(module)
    near = get_close_matches(name, known)
    hint = f"did you mean {' or '.join(near)}?" if near else ""
    offer = f"handrail-synapse offers {', '.join(known)}"
    return "; ".join(part for part in (f"{module} has no {name!r}", hint, offer) if part)
