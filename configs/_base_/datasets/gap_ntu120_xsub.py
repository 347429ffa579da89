# As NTU RGB+D 60, but that a person who is alone stands in both places, as in
# CTR-GCN's data.
_base_ = "./gap_ntu60_xsub.py"

train_dataloader = dict(
    dataset=dict(
        ann_file="data/skeleton/ntu120_3d.pkl",
        num_classes=120,
        pipeline=[
            *_base_.train_dataloader.dataset.pipeline[:-2],
            dict(type="FormatGCNInput", num_person=2, mode="loop"),
            _base_.train_dataloader.dataset.pipeline[-1],
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(
        ann_file="data/skeleton/ntu120_3d.pkl",
        num_classes=120,
        pipeline=[
            *_base_.val_dataloader.dataset.pipeline[:-2],
            dict(type="FormatGCNInput", num_person=2, mode="loop"),
            _base_.val_dataloader.dataset.pipeline[-1],
        ],
    ),
)
test_dataloader = val_dataloader
