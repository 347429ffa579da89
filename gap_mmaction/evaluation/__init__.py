"""What is done with the scores and logs of runs: ensembles, comparisons, curves."""

from .accuracy import accuracy, confusion_matrix
from .class_comparison import compare_classes
from .class_names import load_class_names
from .fusion import fuse_scores, search_weights, transform_scores
from .score_file import ScoreFile, check_same_samples, load_scores, write_scores
from .training_log import read_training_log
from .zero_shot import combine_slots, evaluate_zero_shot

__all__ = [
    "ScoreFile",
    "accuracy",
    "check_same_samples",
    "combine_slots",
    "compare_classes",
    "confusion_matrix",
    "evaluate_zero_shot",
    "fuse_scores",
    "load_class_names",
    "load_scores",
    "read_training_log",
    "search_weights",
    "transform_scores",
    "write_scores",
]
