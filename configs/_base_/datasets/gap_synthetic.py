# The embedded skeleton set, gap_mmaction/datasets/synthetic.py: 12 performers train,
# 8 others test. tools/demo.py writes the annotation file.
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="SkeletonDataset",
        ann_file="data/synthetic.pkl",
        layout="nturgb+d",
        split="xsub_train",
        pipeline=[
            dict(type="PreNormalize3D"),
            dict(type="UniformSampleFrames", clip_len=32),
            dict(type="PoseDecode"),
            dict(type="FormatGCNInput", num_person=1),
            dict(type="PackActionInputs"),
        ],
    ),
)

val_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="SkeletonDataset",
        ann_file="data/synthetic.pkl",
        layout="nturgb+d",
        split="xsub_val",
        test_mode=True,
        pipeline=[
            dict(type="PreNormalize3D"),
            dict(type="UniformSampleFrames", clip_len=32, test_mode=True),
            dict(type="PoseDecode"),
            dict(type="FormatGCNInput", num_person=1),
            dict(type="PackActionInputs"),
        ],
    ),
)
test_dataloader = val_dataloader

val_evaluator = [dict(type="AccMetric")]
test_evaluator = val_evaluator
