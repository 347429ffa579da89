# The paper's learning rate on NW-UCLA, there for twice this batch, and the average of
# the weights and of the normalizations' statistics over the last steps, which tests
# better: a tenth of the steps so far, 100 of them at the most.
_base_ = "./gap_sgd_cosine_40e.py"

optim_wrapper = dict(optimizer=dict(lr=0.2))

custom_hooks = [
    dict(
        type="EMAHook",
        ema_type="ForeachEMA",
        momentum=0.01,
        gamma=10,
        update_buffers=True,
        priority="ABOVE_NORMAL",
    )
]
