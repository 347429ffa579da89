# NW-UCLA, joint stream, for a machine without a GPU: 40 epochs without repetition, and
# text features that ship. How this was chosen: docs/results/nwucla.md
_base_ = [
    "../_base_/models/gap_ctrgcn_nwucla_cpu.py",
    "../_base_/datasets/gap_nwucla_cpu.py",
    "../_base_/schedules/gap_sgd_cosine_40e_ema.py",
    "../_base_/default_runtime.py",
]
