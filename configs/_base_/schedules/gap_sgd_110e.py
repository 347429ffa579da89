# The paper's schedule: 5 epochs of warm-up, then x0.1 at 90 and 100 of 110.
train_cfg = dict(
    type="EpochBasedTrainLoop", max_epochs=110, val_begin=1, val_interval=1
)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")

param_scheduler = [
    dict(type="LinearLR", start_factor=0.2, by_epoch=True, begin=0, end=5),
    dict(
        type="MultiStepLR",
        by_epoch=True,
        begin=0,
        end=110,
        milestones=[90, 100],
        gamma=0.1,
    ),
]

optim_wrapper = dict(
    type="AmpOptimWrapper",
    optimizer=dict(type="SGD", lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4),
)

auto_scale_lr = dict(enable=False, base_batch_size=200)
