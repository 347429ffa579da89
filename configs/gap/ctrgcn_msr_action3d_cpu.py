# MSR-Action3D, odd subjects train, joint stream, the recipe of ctrgcn_nwucla_cpu.
_base_ = [
    "../_base_/models/gap_ctrgcn_msr_action3d_cpu.py",
    "../_base_/datasets/gap_msr_action3d_cpu.py",
    "../_base_/schedules/gap_sgd_cosine_40e_ema.py",
    "../_base_/default_runtime.py",
]
