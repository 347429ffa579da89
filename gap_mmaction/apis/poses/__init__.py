"""Results of pose estimators."""

from .poses import Poses
from .reading import is_result_of_estimator, read_poses

__all__ = ["Poses", "is_result_of_estimator", "read_poses"]
