# NTU RGB+D 60, X-Sub, joint stream, the recipe of the paper.
_base_ = [
    "../_base_/models/gap_ctrgcn_ntu60.py",
    "../_base_/datasets/gap_ntu60_xsub.py",
    "../_base_/schedules/gap_sgd_110e.py",
    "../_base_/default_runtime.py",
]
