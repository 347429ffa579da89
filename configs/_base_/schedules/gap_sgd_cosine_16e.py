# mmaction2's schedule for skeletons, 16 epochs of a set that is repeated five times,
# with 8 GPUs x 16 clips, in single precision; the optimizer's settings are the paper's.
_base_ = "./gap_sgd_110e.py"

train_cfg = dict(max_epochs=16)

optim_wrapper = dict(type="OptimWrapper")

param_scheduler = [
    dict(
        type="CosineAnnealingLR",
        eta_min=0,
        T_max=16,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]

auto_scale_lr = dict(base_batch_size=128)
