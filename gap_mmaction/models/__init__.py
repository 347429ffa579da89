"""Everything that GAP adds to mmaction2's models.

Where mmaction2 is not installed, what is derived from its classes is missing.
"""

from gap_mmaction.openmmlab import IS_INSTALLED

from .backbones import CTRGCN, CTRBaseline, FeatureHook, convert_authors_state_dict
from .heads import PartClassifier, PartPoolingHead, TrainingBranch
from .losses import MultiPartContrastiveLoss
from .text import (
    CachedTextEncoder,
    GAPLoss,
    HFTextEncoder,
    OpenCLIPTextEncoder,
    PromptBank,
    PromptLearner,
    TextBranch,
    TextEncoder,
    TransformerTextEncoder,
)

if IS_INSTALLED:
    from .data_preprocessors import SkeletonDataPreprocessor
    from .heads.foreign_head import ForeignHead
    from .recognizers import RecognizerGAP

__all__ = [
    "CTRGCN",
    "CTRBaseline",
    "CachedTextEncoder",
    "FeatureHook",
    "ForeignHead",
    "GAPLoss",
    "HFTextEncoder",
    "MultiPartContrastiveLoss",
    "OpenCLIPTextEncoder",
    "PartClassifier",
    "PartPoolingHead",
    "PromptBank",
    "PromptLearner",
    "RecognizerGAP",
    "SkeletonDataPreprocessor",
    "TextBranch",
    "TextEncoder",
    "TrainingBranch",
    "TransformerTextEncoder",
    "convert_authors_state_dict",
]
