"""One stack on COCO at 256x192."""
_base_ = ['shn_coco.py']

model = dict(backbone=dict(num_stacks=1), head=dict(num_stages=1))
