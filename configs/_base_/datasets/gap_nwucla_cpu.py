# Loaded in the training process itself; an epoch is the set once, to its last clip.
_base_ = "./gap_nwucla.py"

train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,
    drop_last=False,
    dataset=dict(times=1),
)
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = val_dataloader
