# For a few hundred clips. `train_cfg.max_epochs` is the one setting: what the schedule
# has is a share of the training, and the average of the weights warms up. How many
# epochs: docs/small_data.md
_base_ = "./gap_sgd_cosine_40e_ema.py"

train_cfg = dict(max_epochs=100)

param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=0.075),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=0.075, end=1.0, eta_min=1e-4),
]
