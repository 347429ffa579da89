# NTU RGB+D 120, X-Sub, joint stream, the recipe of mmaction2: 8 GPUs x 16 clips.
_base_ = [
    "../_base_/models/gap_ctrgcn_mmaction2.py",
    "../_base_/datasets/gap_ntu120_xsub_mmaction2.py",
    "../_base_/schedules/gap_sgd_cosine_16e.py",
    "../_base_/default_runtime.py",
]
