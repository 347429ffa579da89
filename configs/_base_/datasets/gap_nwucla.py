# NW-UCLA as tools/data/prepare.py writes it: views 1 and 2 train, view 3 tests.
train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="RepeatDataset",
        times=5,
        dataset=dict(
            type="SafePoseDataset",
            ann_file="data/nwucla.pkl",
            layout="nw-ucla",
            num_classes=10,
            split="xview_train",
            pipeline=[
                dict(type="CenterSkeleton", joint=1),
                dict(type="RandomViewRotation", max_angle=60),
                dict(type="MinMaxNormalize3D"),
                dict(type="SampleSortedFrames", clip_len=52),
                dict(type="FormatGCNInput", num_person=1),
                dict(type="PackActionInputs", meta_keys=("frame_dir",)),
            ],
        ),
    ),
)

val_dataloader = dict(
    batch_size=64,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="SafePoseDataset",
        ann_file="data/nwucla.pkl",
        layout="nw-ucla",
        num_classes=10,
        split="xview_val",
        test_mode=True,
        pipeline=[
            dict(type="CenterSkeleton", joint=1),
            dict(type="MinMaxNormalize3D"),
            dict(type="SampleSortedFrames", clip_len=52, test_mode=True),
            dict(type="FormatGCNInput", num_person=1),
            dict(type="PackActionInputs", meta_keys=("frame_dir",)),
        ],
    ),
)
test_dataloader = val_dataloader

val_evaluator = [dict(type="AccMetric")]
test_evaluator = val_evaluator
