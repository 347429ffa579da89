# NTU RGB+D 120, cross-subject, as mmaction2's own skeleton configs have it: 100 frames
# spread over the sequence, the body turned upright and to the front, the training set
# five times over, ten clips of a sequence in testing. The two transforms `Fast...` give
# what mmaction2's own do.
_base_ = "./gap_ntu120_xsub.py"

train_dataloader = dict(
    batch_size=16,
    drop_last=False,
    dataset=dict(
        _delete_=True,
        type="RepeatDataset",
        times=5,
        dataset=dict(
            _base_.train_dataloader.dataset,
            pipeline=[
                dict(type="FastPreNormalize3D"),
                dict(type="FastUniformSampleFrames", clip_len=100),
                dict(type="PoseDecode"),
                dict(type="FormatGCNInput", num_person=2),
                dict(type="PackActionInputs"),
            ],
        ),
    ),
)
val_dataloader = dict(
    batch_size=16,
    dataset=dict(
        pipeline=[
            dict(type="FastPreNormalize3D"),
            dict(type="FastUniformSampleFrames", clip_len=100, test_mode=True),
            dict(type="PoseDecode"),
            dict(type="FormatGCNInput", num_person=2),
            dict(type="PackActionInputs", meta_keys=("frame_dir",)),
        ],
    ),
)
test_dataloader = dict(
    batch_size=1,
    dataset=dict(
        pipeline=[
            dict(type="FastPreNormalize3D"),
            dict(
                type="FastUniformSampleFrames",
                clip_len=100,
                num_clips=10,
                test_mode=True,
            ),
            dict(type="PoseDecode"),
            dict(type="FormatGCNInput", num_person=2),
            dict(type="PackActionInputs", meta_keys=("frame_dir",)),
        ],
    ),
)
