"""The data sets that ``tools/data/prepare.py`` knows, one module each."""

from . import jhmdb14, msr_action3d, nwucla, sbu_kinect, utd_mhad, utkinect

CLIP_SETS = {
    "nwucla": nwucla.CLIP_SET,
    "utd_mhad": utd_mhad.CLIP_SET,
    "msr_action3d": msr_action3d.CLIP_SET,
    "utkinect": utkinect.CLIP_SET,
    "sbu_kinect": sbu_kinect.CLIP_SET,
    "jhmdb14": jhmdb14.CLIP_SET,
}
