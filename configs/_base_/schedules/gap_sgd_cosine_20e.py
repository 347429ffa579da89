_base_ = "./gap_sgd_cosine_40e.py"

train_cfg = dict(max_epochs=20)

param_scheduler = [
    dict(
        type="CosineAnnealingLR",
        by_epoch=True,
        begin=0,
        end=20,
        eta_min=1e-4,
        convert_to_iter_based=True,
    )
]
