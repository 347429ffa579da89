"""What is done with the scores and logs of runs: ensembles, comparisons, curves."""

from .accuracy import Accuracy, accuracy
from .calibrated_stacking import choose_factor, seen_unseen_area
from .class_comparison import ClassComparison, compare_classes
from .class_names import find_class, load_class_names
from .confusion import confusion_matrix, most_confused
from .fusion import are_probabilities, fuse_scores, transform_scores
from .same_samples import check_same_samples
from .score_file import ScoreFile, load_scores, write_scores
from .slot_scores import combine_slots
from .training_log import TrainingLog, read_training_log
from .weight_search import WeightSearch, search_weights
from .zero_shot import Generalised, ZeroShotResult, evaluate_zero_shot

__all__ = [
    "Accuracy",
    "ClassComparison",
    "Generalised",
    "ScoreFile",
    "TrainingLog",
    "WeightSearch",
    "ZeroShotResult",
    "accuracy",
    "are_probabilities",
    "check_same_samples",
    "choose_factor",
    "combine_slots",
    "compare_classes",
    "confusion_matrix",
    "evaluate_zero_shot",
    "find_class",
    "fuse_scores",
    "load_class_names",
    "load_scores",
    "most_confused",
    "read_training_log",
    "search_weights",
    "seen_unseen_area",
    "transform_scores",
    "write_scores",
]
