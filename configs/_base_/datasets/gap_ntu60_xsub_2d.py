_base_ = "./gap_ntu120_xsub_2d.py"

train_dataloader = dict(
    dataset=dict(dataset=dict(ann_file="data/skeleton/ntu60_2d.pkl", num_classes=60))
)
val_dataloader = dict(
    dataset=dict(ann_file="data/skeleton/ntu60_2d.pkl", num_classes=60)
)
test_dataloader = val_dataloader
