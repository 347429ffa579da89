# NW-UCLA, joint stream, for a machine without a GPU: 40 epochs without repetition, and
# text features of MiniLM that ship with the project. In so few steps the network does
# not come to fit its training set, so what counts is how fast it gets there: the
# authors' form of CTR-GCN, their initialization of the classifier, sqrt(2 / classes),
# and the paper's learning rate for twice this batch. Smoothed labels and the average
# of the weights and of the normalizations' statistics over the last steps test better.
# How this was chosen: docs/results/nwucla.md
_base_ = [
    "../_base_/models/gap_ctrgcn.py",
    "../_base_/datasets/gap_nwucla.py",
    "../_base_/schedules/gap_sgd_cosine_40e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    data_preprocessor=dict(layout="nw-ucla"),
    backbone=dict(graph_cfg=dict(layout="nw-ucla"), num_person=1, variant="authors"),
    cls_head=dict(
        num_classes=10,
        label_smooth_eps=0.1,
        init_cfg=dict(type="Normal", layer="Linear", std=0.447),
    ),
    text_branch=dict(
        prompts=dict(descriptions="data/descriptions/nwucla.yaml"),
        features="data/text_features/nwucla_minilm.safetensors",
    ),
)

train_dataloader = dict(
    batch_size=32, num_workers=0, persistent_workers=False, dataset=dict(times=1)
)
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = val_dataloader

optim_wrapper = dict(optimizer=dict(lr=0.2))

custom_hooks = [
    dict(type="EMAHook", momentum=0.01, update_buffers=True, priority="ABOVE_NORMAL")
]
