# The embedded default: a small CTR-GCN on the embedded set. `make demo` runs it with
# and without the text branch.
_base_ = [
    "../_base_/models/gap_ctrgcn_synthetic.py",
    "../_base_/datasets/gap_synthetic.py",
    "../_base_/schedules/gap_sgd_cosine_20e.py",
    "../_base_/default_runtime.py",
]
