"""What is done with the scores and logs of runs: ensembles, comparisons, curves."""

from .accuracy import Accuracy, accuracy
from .class_comparison import ClassComparison, compare_classes
from .class_names import load_class_names
from .confusion import confusion_matrix, most_confused
from .fusion import are_probabilities, fuse_scores, transform_scores
from .same_samples import check_same_samples
from .score_file import ScoreFile, load_scores, write_scores
from .training_log import TrainingLog, read_training_log
from .weight_search import WeightSearch, search_weights

__all__ = [
    "Accuracy",
    "ClassComparison",
    "ScoreFile",
    "TrainingLog",
    "WeightSearch",
    "accuracy",
    "are_probabilities",
    "check_same_samples",
    "compare_classes",
    "confusion_matrix",
    "fuse_scores",
    "load_class_names",
    "load_scores",
    "most_confused",
    "read_training_log",
    "search_weights",
    "transform_scores",
    "write_scores",
]
