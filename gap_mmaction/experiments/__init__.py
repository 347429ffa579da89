"""The tables of the paper as experiments: what to run, running it, and the results."""

from .ablations import ABLATIONS, FOLDS, LAMBDAS, ablation_table
from .annotations import SplitSizes
from .benchmark import BENCHMARKS, Benchmark
from .comparisons import COMPARISONS, comparison_table
from .experiment import Experiment, Failure
from .few_clips import ARMS, GAINS, board_table, low_shot_table
from .folds import make_folds, write_folds
from .interruption import Interrupted, interruptible
from .launcher import Launcher
from .measure import STREAM_WEIGHTS, Measure
from .plan import plan_text
from .run_configs import RunConfigs
from .run_folder import RunFolder
from .run_record import RunFolderError, RunRecord
from .run_spec import RunSpec
from .table import Row, Table
from .variant import Variant
from .work_dir_lock import WorkDirLock, WorkDirLockedError

__all__ = [
    "ABLATIONS",
    "ARMS",
    "BENCHMARKS",
    "COMPARISONS",
    "FOLDS",
    "GAINS",
    "LAMBDAS",
    "STREAM_WEIGHTS",
    "Benchmark",
    "Experiment",
    "Failure",
    "Interrupted",
    "Launcher",
    "Measure",
    "Row",
    "RunConfigs",
    "RunFolder",
    "RunFolderError",
    "RunRecord",
    "RunSpec",
    "SplitSizes",
    "Table",
    "Variant",
    "WorkDirLock",
    "WorkDirLockedError",
    "ablation_table",
    "board_table",
    "comparison_table",
    "interruptible",
    "low_shot_table",
    "make_folds",
    "plan_text",
    "write_folds",
]
