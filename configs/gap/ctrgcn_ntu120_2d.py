# NTU RGB+D 120, X-Sub, 2D poses, joint stream, the recipe of mmaction2.
_base_ = [
    "../_base_/models/gap_ctrgcn_2d.py",
    "../_base_/datasets/gap_ntu120_xsub_2d.py",
    "../_base_/schedules/gap_sgd_cosine_16e.py",
    "../_base_/default_runtime.py",
]
