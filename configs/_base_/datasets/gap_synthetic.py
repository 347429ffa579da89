# The embedded skeleton set, gap_mmaction/datasets/synthetic.py: 12 performers train,
# 8 others test. tools/demo.py makes it in its work dir; to have it here:
#   python -c "from gap_mmaction.datasets.synthetic import write_synthetic;
#              write_synthetic('data/synthetic.pkl')"
_base_ = "./gap_ntu120_xsub.py"

train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    persistent_workers=False,
    drop_last=False,
    dataset=dict(
        ann_file="data/synthetic.pkl",
        num_classes=10,
        pipeline=[
            dict(type="FastPreNormalize3D"),
            dict(type="FastUniformSampleFrames", clip_len=32),
            dict(type="PoseDecode"),
            dict(type="FormatGCNInput", num_person=1),
            dict(type="PackActionInputs", meta_keys=("frame_dir",)),
        ],
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        ann_file="data/synthetic.pkl",
        num_classes=10,
        pipeline=[
            dict(type="FastPreNormalize3D"),
            dict(type="FastUniformSampleFrames", clip_len=32, test_mode=True),
            dict(type="PoseDecode"),
            dict(type="FormatGCNInput", num_person=1),
            dict(type="PackActionInputs", meta_keys=("frame_dir",)),
        ],
    ),
)
test_dataloader = val_dataloader
