"""The text side: descriptions, prompts, encoders and the branch that uses them."""

from .cached_encoder import CachedTextEncoder
from .gap_loss import GAPLoss
from .hf_encoder import HFTextEncoder
from .open_clip_encoder import OpenCLIPTextEncoder
from .prompt_bank import PromptBank
from .prompt_learner import PromptLearner
from .text_branch import TextBranch
from .text_encoder import (
    RandomTextEncoder,
    TextEncoder,
    TransformerTextEncoder,
    build_frozen_encoder,
)

__all__ = [
    "CachedTextEncoder",
    "GAPLoss",
    "HFTextEncoder",
    "OpenCLIPTextEncoder",
    "PromptBank",
    "PromptLearner",
    "RandomTextEncoder",
    "TextBranch",
    "TextEncoder",
    "TransformerTextEncoder",
    "build_frozen_encoder",
]
