"""princeton's network of 2 stacks."""
_base_ = ['princeton_hg8_mpii.py']

model = dict(backbone=dict(num_stacks=2), head=dict(num_stages=2))
