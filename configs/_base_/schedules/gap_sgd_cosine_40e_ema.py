# The paper's learning rate on NW-UCLA, there for twice this batch, and the average of
# the weights and of the normalizations' statistics over the last steps, which tests
# better.
_base_ = "./gap_sgd_cosine_40e.py"

optim_wrapper = dict(optimizer=dict(lr=0.2))

custom_hooks = [
    dict(type="EMAHook", momentum=0.01, update_buffers=True, priority="ABOVE_NORMAL")
]
