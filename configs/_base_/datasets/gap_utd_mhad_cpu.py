# UTD-MHAD as tools/data/prepare.py writes it. Everybody looks into the camera, so that
# training turns them less than those of NW-UCLA. Here and in the other sets an epoch
# has the clips so often that it takes about as many steps as NW-UCLA's.
_base_ = "./gap_nwucla_cpu.py"

train_dataloader = dict(
    dataset=dict(
        times=2,
        dataset=dict(
            ann_file="data/utd_mhad.pkl",
            num_classes=27,
            split="xsub_train",
            pipeline=[
                *_base_.train_dataloader.dataset.dataset.pipeline[:1],
                dict(type="RandomViewRotation", max_angle=30),
                *_base_.train_dataloader.dataset.dataset.pipeline[2:],
            ],
        ),
    )
)
val_dataloader = dict(
    dataset=dict(ann_file="data/utd_mhad.pkl", num_classes=27, split="xsub_val")
)
test_dataloader = val_dataloader
