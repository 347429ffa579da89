# NTU RGB+D 120, cross-subject, as 2D poses that HRNet has found in the videos
# (mmaction2's ntu120_2d.pkl): 17 joints of COCO with x, y and confidence, scaled by the
# size of the picture; who is not there stays at zero. The rest is mmaction2's recipe
# for skeletons.
_base_ = "./gap_ntu120_xsub_mmaction2.py"

train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            ann_file="data/skeleton/ntu120_2d.pkl",
            layout="coco",
            pipeline=[
                dict(type="MaskedPreNormalize2D"),
                *_base_.train_dataloader.dataset.dataset.pipeline[1:],
            ],
        )
    )
)
val_dataloader = dict(
    dataset=dict(
        ann_file="data/skeleton/ntu120_2d.pkl",
        layout="coco",
        pipeline=[
            dict(type="MaskedPreNormalize2D"),
            *_base_.val_dataloader.dataset.pipeline[1:],
        ],
    )
)
test_dataloader = dict(
    dataset=dict(
        ann_file="data/skeleton/ntu120_2d.pkl",
        layout="coco",
        pipeline=[
            dict(type="MaskedPreNormalize2D"),
            *_base_.test_dataloader.dataset.pipeline[1:],
        ],
    )
)
