# A schedule for one CPU: 3 epochs of warm-up, then a cosine, 40 epochs in all.
_base_ = "./gap_sgd_110e.py"

train_cfg = dict(max_epochs=40, val_interval=5)

optim_wrapper = dict(type="OptimWrapper", optimizer=dict(weight_decay=4e-4))

param_scheduler = [
    dict(
        type="LinearLR",
        start_factor=0.1,
        by_epoch=True,
        begin=0,
        end=3,
        convert_to_iter_based=True,
    ),
    dict(
        type="CosineAnnealingLR",
        by_epoch=True,
        begin=3,
        end=40,
        eta_min=1e-4,
        convert_to_iter_based=True,
    ),
]

auto_scale_lr = dict(base_batch_size=32)
