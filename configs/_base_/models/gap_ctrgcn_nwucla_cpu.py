# In the few steps of a CPU's schedule the network does not come to fit its training
# set, so what counts is how fast it gets there: smoothed labels test better. Bones are
# plain differences. Text features of MiniLM ship with the project.
_base_ = "./gap_ctrgcn_nwucla.py"

model = dict(
    data_preprocessor=dict(bone_form="difference"),
    cls_head=dict(label_smooth_eps=0.1),
    text_branch=dict(features="data/text_features/nwucla_minilm.safetensors"),
)
