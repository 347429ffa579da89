# NTU RGB+D 60, X-Sub, joint stream, the recipe of mmaction2.
_base_ = [
    "../_base_/models/gap_ctrgcn_ntu60_mmaction2.py",
    "../_base_/datasets/gap_ntu60_xsub_mmaction2.py",
    "../_base_/schedules/gap_sgd_cosine_16e.py",
    "../_base_/default_runtime.py",
]
