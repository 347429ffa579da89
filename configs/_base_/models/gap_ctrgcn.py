# The paper's CTR-GCN, the authors' form of it, with their transform of the input, and
# the text branch of GAP: CLIP's ViT-B/32 text tower, tuned, and the paper's form of the
# loss. As it stands it is for NTU RGB+D 120; leaves for other data say what differs.
# The classifier starts with a standard deviation of sqrt(2 / classes).
model = dict(
    type="RecognizerGAP",
    data_preprocessor=dict(
        type="SkeletonDataPreprocessor",
        layout="nturgb+d",
        stream="joint",
        bone_form="hierarchy",
    ),
    backbone=dict(
        type="CTRGCN",
        variant="authors",
        graph_cfg=dict(layout="nturgb+d", mode="spatial"),
    ),
    cls_head=dict(
        type="GCNHead",
        num_classes=120,
        in_channels=256,
        init_cfg=dict(type="Normal", layer="Linear", std=0.129),
    ),
    text_branch=dict(
        type="TextBranch",
        prompts=dict(
            descriptions="data/descriptions/ntu120.yaml", preset="synonym+parts4"
        ),
        encoder=dict(
            type="OpenCLIPTextEncoder",
            model="ViT-B-32",
            pretrained="openai",
            frozen=False,
        ),
        loss=dict(temperature=0.1, target="uniform", loss_weight=0.8),
    ),
)
