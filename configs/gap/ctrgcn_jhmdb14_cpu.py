# JHMDB, 14 classes, 2D joints, split 1, joint stream, the recipe of ctrgcn_nwucla_cpu.
_base_ = [
    "../_base_/models/gap_ctrgcn_jhmdb14_cpu.py",
    "../_base_/datasets/gap_jhmdb14_cpu.py",
    "../_base_/schedules/gap_sgd_cosine_40e_ema.py",
    "../_base_/default_runtime.py",
]
