# NTU RGB+D 120, X-Set, joint stream, the recipe of mmaction2.
_base_ = "./ctrgcn_ntu120_mmaction2.py"

train_dataloader = dict(dataset=dict(dataset=dict(split="xset_train")))
val_dataloader = dict(dataset=dict(split="xset_val"))
test_dataloader = val_dataloader
