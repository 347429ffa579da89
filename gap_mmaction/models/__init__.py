"""Everything that GAP adds to mmaction2's models."""

from .backbones import CTRGCN, CTRBaseline, FeatureHook, convert_authors_state_dict
from .data_preprocessors import SkeletonDataPreprocessor
from .heads import ForeignHead, PartClassifier, PartPoolingHead, TrainingBranch
from .losses import MultiPartContrastiveLoss
from .recognizers import RecognizerGAP
from .text import (
    CachedTextEncoder,
    HFTextEncoder,
    OpenCLIPTextEncoder,
    PromptBank,
    PromptLearner,
    TextBranch,
    TextEncoder,
    TransformerTextEncoder,
)

__all__ = [
    "CTRGCN",
    "CTRBaseline",
    "CachedTextEncoder",
    "FeatureHook",
    "ForeignHead",
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
