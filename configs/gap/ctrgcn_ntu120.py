# NTU RGB+D 120, X-Sub, joint stream, the recipe of the paper (section 4.2): 8 GPUs x 25
# clips.
_base_ = [
    "../_base_/models/gap_ctrgcn.py",
    "../_base_/datasets/gap_ntu120_xsub.py",
    "../_base_/schedules/gap_sgd_110e.py",
    "../_base_/default_runtime.py",
]
