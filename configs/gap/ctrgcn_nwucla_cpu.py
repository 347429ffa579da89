# NW-UCLA, joint stream, for a machine without a GPU: half the width, 40 epochs without
# repetition, and text features of MiniLM that ship with the project.
_base_ = './ctrgcn_nwucla.py'

model = dict(
    backbone=dict(base_channels=32),
    cls_head=dict(in_channels=128),
    text_branch=dict(
        encoder=dict(
            _delete_=True,
            type='CachedTextEncoder',
            features='data/text_features/nwucla_minilm.safetensors')))

train_dataloader = dict(batch_size=32, num_workers=0, persistent_workers=False,
                        dataset=dict(times=1))
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=40, val_interval=2)
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(
        type='SGD', lr=0.1, momentum=0.9, nesterov=True, weight_decay=4e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, end=3,
         convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=3, end=40, eta_min=1e-4,
         convert_to_iter_based=True)
]
