# JHMDB, 14 classes, as tools/data/prepare.py writes it, the first of three splits.
# Joints in the picture: they are scaled by their own extent and not turned.
_base_ = "./gap_nwucla_cpu.py"

train_dataloader = dict(
    dataset=dict(
        times=2,
        dataset=dict(
            ann_file="data/jhmdb14.pkl",
            layout="jhmdb-15",
            num_classes=14,
            split="fold1_train",
            pipeline=_base_.train_dataloader.dataset.dataset.pipeline[2:],
        ),
    )
)
val_dataloader = dict(
    dataset=dict(
        ann_file="data/jhmdb14.pkl",
        layout="jhmdb-15",
        num_classes=14,
        split="fold1_val",
        pipeline=_base_.val_dataloader.dataset.pipeline[1:],
    )
)
test_dataloader = val_dataloader
