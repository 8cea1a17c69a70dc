"""The authors' Torch7 network of 8 stacks: graph, pixels and decoding are
those of princeton's code."""
_base_ = ['princeton_hg8_mpii.py']
