# UTKinect-Action3D, subjects 1 and 2 test, joint stream, as ctrgcn_nwucla_cpu.
_base_ = [
    "../_base_/models/gap_ctrgcn_utkinect_cpu.py",
    "../_base_/datasets/gap_utkinect_cpu.py",
    "../_base_/schedules/gap_sgd_cosine_40e_ema.py",
    "../_base_/default_runtime.py",
]
