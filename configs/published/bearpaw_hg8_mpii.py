"""bearpaw's network of 8 stacks as they test it: a wider stem, and MPII's mean
colour subtracted from pixels in [0, 1], which no deviation divides."""
_base_ = ['princeton_hg8_mpii.py']

model = dict(
    data_preprocessor=dict(
        mean=[0.4404 * 255, 0.4440 * 255, 0.4327 * 255],
        std=[255, 255, 255]),
    backbone=dict(stem_channels=(64, 128, 256)))
