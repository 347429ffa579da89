# UTKinect-Action3D as tools/data/prepare.py writes it, the first of five folds.
_base_ = "./gap_nwucla_cpu.py"

train_dataloader = dict(
    dataset=dict(
        times=6, dataset=dict(ann_file="data/utkinect.pkl", split="fold1_train")
    )
)
val_dataloader = dict(dataset=dict(ann_file="data/utkinect.pkl", split="fold1_val"))
test_dataloader = val_dataloader
