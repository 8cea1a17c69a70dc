"""A narrow 2-stack network at 128x128 on people that
tools/dataset_converters/draw_people.py draws: a demonstration that trains on
two CPU cores in a few minutes."""
_base_ = ['shn2_mpii.py']

codec = dict(input_size=(128, 128), heatmap_size=(32, 32))

model = dict(
    backbone=dict(
        feat_channels=64,
        stem_channels=(16, 32, 64),
        depth=3,  # down to 4x4, as the paper's 4 halvings of 64x64
        channels_last=True),
    head=dict(decoder=codec))

train_pipeline = [
    *_base_.train_pipeline[:-4],
    # milder than the paper's: the drawn people vary enough
    dict(
        type='RandomBBoxTransform',
        shift_prob=0,
        scale_factor=(0.9, 1.1),
        rotate_factor=15),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='GenerateTarget', encoder={**_base_.codec, **codec}),
    dict(type='PackPoseInputs')
]
val_pipeline = [
    *_base_.val_pipeline[:-2],
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='PackPoseInputs')
]

data_root = 'data/drawn_people/'
# Without workers: on two cores one would keep the threads of the training
# waiting for each other (0.27 s against 0.34 s an iteration).
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root=data_root,
        headbox_file=data_root + 'annotations/mpii_gt_val.mat',
        pipeline=val_pipeline))
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=6, val_interval=6)
optim_wrapper = dict(optimizer=dict(_delete_=True, type='Adam', lr=4e-3))
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=4e-3,
        total_steps=6,
        by_epoch=True,
        convert_to_iter_based=True)
]
default_hooks = dict(
    logger=dict(interval=25), checkpoint=dict(interval=1, max_keep_ckpts=1))
auto_scale_lr = dict(base_batch_size=16)
