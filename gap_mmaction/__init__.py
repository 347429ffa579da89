"""Language supervision for skeleton-based action recognition in MMAction2.

Importing this package patches the upstream packages where they need it
(:mod:`gap_mmaction.compat`) and registers GAP's parts in ``mmaction.registry``. Where
mmaction2 is not installed, :class:`GAPLoss` and the backbones are what there is.
"""

import io
import sys

# isort: off
from gap_mmaction import compat

if compat.has_mmaction():
    # Before anything of mmaction2 is imported.
    compat.apply()

from gap_mmaction import models
from gap_mmaction.models import (
    GAPLoss,
    TextEncoder,
    TrainingBranch,
    TransformerTextEncoder,
)
from gap_mmaction.version import __version__

if compat.has_mmaction():
    from gap_mmaction import datasets, engine
    from gap_mmaction.engine import skeleton_runner
    from gap_mmaction.utils.safetensors_checkpoint import register_loader

    register_loader()

# isort: on

# A console that cannot show a character, as of a class's name, shows its number: no
# program is to fail on that after its work.
for _stream in (sys.stdout, sys.stderr):
    if isinstance(_stream, io.TextIOWrapper) and _stream.errors == "strict":
        _stream.reconfigure(errors="backslashreplace")

__all__ = [
    "GAPLoss",
    "TextEncoder",
    "TrainingBranch",
    "TransformerTextEncoder",
    "__version__",
    "compat",
    "datasets",
    "engine",
    "models",
    "skeleton_runner",
]
