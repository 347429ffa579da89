# MSR-Action3D as tools/data/prepare.py writes it, from the front too.
_base_ = "./gap_utd_mhad_cpu.py"

train_dataloader = dict(
    dataset=dict(
        times=3, dataset=dict(ann_file="data/msr_action3d.pkl", num_classes=20)
    )
)
val_dataloader = dict(dataset=dict(ann_file="data/msr_action3d.pkl", num_classes=20))
test_dataloader = val_dataloader
