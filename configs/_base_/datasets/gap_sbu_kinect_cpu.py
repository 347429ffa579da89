# SBU Kinect Interaction as tools/data/prepare.py writes it, the first of five folds:
# two persons, the torso of the first one at the origin.
_base_ = "./gap_utd_mhad_cpu.py"

train_dataloader = dict(
    dataset=dict(
        times=4,
        dataset=dict(
            ann_file="data/sbu_kinect.pkl",
            layout="openni-15",
            num_classes=8,
            split="fold1_train",
            pipeline=[
                dict(type="CenterSkeleton", joint=2),
                *_base_.train_dataloader.dataset.dataset.pipeline[1:4],
                dict(type="FormatGCNInput", num_person=2),
                *_base_.train_dataloader.dataset.dataset.pipeline[5:],
            ],
        ),
    )
)
val_dataloader = dict(
    dataset=dict(
        ann_file="data/sbu_kinect.pkl",
        layout="openni-15",
        num_classes=8,
        split="fold1_val",
        pipeline=[
            dict(type="CenterSkeleton", joint=2),
            *_base_.val_dataloader.dataset.pipeline[1:3],
            dict(type="FormatGCNInput", num_person=2),
            *_base_.val_dataloader.dataset.pipeline[4:],
        ],
    )
)
test_dataloader = val_dataloader
