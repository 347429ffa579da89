# NTU RGB+D 60, cross-subject, as the paper's feeder gives it: 64 frames of a part of
# the sequence, and no last batch that is smaller than the others. The file is
# mmaction2's, or made by tools/data/prepare_ntu.py: what is centred already stays.
train_dataloader = dict(
    batch_size=25,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="SafePoseDataset",
        ann_file="data/skeleton/ntu60_3d.pkl",
        layout="nturgb+d",
        num_classes=60,
        split="xsub_train",
        pipeline=[
            dict(type="CenterSkeleton", joint=1),
            dict(type="ValidCropResize", clip_len=64, p_interval=(0.5, 1.0)),
            dict(type="RandomRotation3D", max_angle=0.3),
            dict(type="FormatGCNInput", num_person=2),
            dict(type="PackActionInputs", meta_keys=("frame_dir",)),
        ],
    ),
)

val_dataloader = dict(
    batch_size=25,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="SafePoseDataset",
        ann_file="data/skeleton/ntu60_3d.pkl",
        layout="nturgb+d",
        num_classes=60,
        split="xsub_val",
        test_mode=True,
        pipeline=[
            dict(type="CenterSkeleton", joint=1),
            dict(type="ValidCropResize", clip_len=64, p_interval=(0.95,)),
            dict(type="FormatGCNInput", num_person=2),
            dict(type="PackActionInputs", meta_keys=("frame_dir",)),
        ],
    ),
)
test_dataloader = val_dataloader

val_evaluator = [dict(type="AccMetric")]
test_evaluator = val_evaluator
