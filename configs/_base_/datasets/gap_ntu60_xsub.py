_base_ = "./gap_ntu120_xsub.py"

train_dataloader = dict(dataset=dict(ann_file="data/skeleton/ntu60_3d.pkl"))
val_dataloader = dict(dataset=dict(ann_file="data/skeleton/ntu60_3d.pkl"))
test_dataloader = val_dataloader
