"""Everything that GAP adds to mmaction2's models."""

from .backbones import CTRGCN, CTRBaseline, convert_authors_state_dict
from .data_preprocessors import SkeletonDataPreprocessor
from .heads import PartClassifier, PartPoolingHead
from .losses import MultiPartContrastiveLoss
from .recognizers import RecognizerGAP
from .text import (
    CachedTextEncoder,
    HFTextEncoder,
    OpenCLIPTextEncoder,
    PromptBank,
    PromptLearner,
    TextBranch,
)

__all__ = [
    "CTRGCN",
    "CTRBaseline",
    "CachedTextEncoder",
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
    "convert_authors_state_dict",
]
