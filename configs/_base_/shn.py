"""What all configs share: network, recipe and runtime.

The recipe follows the paper (Newell et al., ECCV 2016, Section 4): RMSprop
with a learning rate of 2.5e-4, a mean-squared error on the heatmaps of every
stack, Gaussian targets with a standard deviation of one pixel, and (in the
authors' code) pixels in [0, 1] with nothing subtracted. Batch size 6,
220 epochs and the drops at 150, 175 and 200 are those of bearpaw/pytorch-pose.
The backbone's default `init_cfg` is what keeps the first epochs from
collapsing; `model.backbone.init_cfg=None` is the published initialisation.
"""
_base_ = ['mmpose::_base_/default_runtime.py']
custom_imports = dict(imports=['mmpose_shn'], allow_failed_imports=False)

# Width and height of the network's input and, a quarter of them, its heatmaps
codec = dict(
    type='MSRAHeatmap', input_size=(256, 256), heatmap_size=(64, 64), sigma=1)

model = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(
        type='PoseDataPreprocessor',
        mean=[0, 0, 0],
        std=[255, 255, 255],
        bgr_to_rgb=True),
    backbone=dict(type='StackedHourglass', num_stacks=8, out_channels=16),
    head=dict(
        type='MultiStageHeatmapHead',
        num_stages=8,
        out_channels=16,
        loss=dict(type='KeypointMSELoss', use_target_weight=True),
        decoder=codec),
    test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=True))

data_mode = 'topdown'  # read by MMPose's inferencers
train_dataloader = dict(
    batch_size=6,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True))
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False))
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=220, val_interval=10)

# RMSprop's default alpha, 0.99, and eps, 1e-8, are Torch7's as well. Clipping
# and the warm-up below are not the paper's: they bound the first steps, when
# the gradients of eight losses add up. Mixed precision is left to --amp, which
# MMEngine offers on GPUs only.
optim_wrapper = dict(
    optimizer=dict(type='RMSprop', lr=2.5e-4), clip_grad=dict(max_norm=1.0))

param_scheduler = [
    dict(
        type='LinearLR', begin=0, end=500, start_factor=0.001, by_epoch=False),
    dict(
        type='MultiStepLR',
        begin=0,
        end=220,
        milestones=[150, 175, 200],
        gamma=0.1,
        by_epoch=True)
]

auto_scale_lr = dict(base_batch_size=6)
