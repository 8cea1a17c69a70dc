"""One stack on MPII."""
_base_ = ['shn_mpii.py']

model = dict(backbone=dict(num_stacks=1), head=dict(num_stages=1))
