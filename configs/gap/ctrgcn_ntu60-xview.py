# NTU RGB+D 60, X-View, joint stream, the recipe of the paper.
_base_ = "./ctrgcn_ntu60.py"

train_dataloader = dict(dataset=dict(split="xview_train"))
val_dataloader = dict(dataset=dict(split="xview_val"))
test_dataloader = val_dataloader
