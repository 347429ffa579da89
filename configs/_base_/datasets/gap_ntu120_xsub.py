# NTU RGB+D 120, cross-subject: mmaction2's annotation file and transforms, with the 64
# frames per clip of the paper.
train_dataloader = dict(
    batch_size=25,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="SkeletonDataset",
        ann_file="data/skeleton/ntu120_3d.pkl",
        layout="nturgb+d",
        num_classes=120,
        split="xsub_train",
        pipeline=[
            dict(type="PreNormalize3D"),
            dict(type="UniformSampleFrames", clip_len=64),
            dict(type="PoseDecode"),
            dict(type="FormatGCNInput", num_person=2),
            dict(type="PackActionInputs"),
        ],
    ),
)

val_dataloader = dict(
    batch_size=25,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="SkeletonDataset",
        ann_file="data/skeleton/ntu120_3d.pkl",
        layout="nturgb+d",
        num_classes=120,
        split="xsub_val",
        test_mode=True,
        pipeline=[
            dict(type="PreNormalize3D"),
            dict(type="UniformSampleFrames", clip_len=64, test_mode=True),
            dict(type="PoseDecode"),
            dict(type="FormatGCNInput", num_person=2),
            dict(type="PackActionInputs"),
        ],
    ),
)
test_dataloader = val_dataloader

val_evaluator = [dict(type="AccMetric")]
test_evaluator = val_evaluator
