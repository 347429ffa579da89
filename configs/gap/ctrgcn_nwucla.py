# NW-UCLA, joint stream, the recipe of the paper (section 4.2), one GPU.
_base_ = [
    "../_base_/models/gap_ctrgcn_nwucla.py",
    "../_base_/datasets/gap_nwucla.py",
    "../_base_/schedules/gap_sgd_110e.py",
    "../_base_/default_runtime.py",
]
optim_wrapper = dict(optimizer=dict(lr=0.2, weight_decay=4e-4))
auto_scale_lr = dict(base_batch_size=64)
