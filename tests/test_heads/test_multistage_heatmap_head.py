import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.hub import get_config
from mmpose.evaluation.functional import pose_pck_accuracy
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.testing import get_packed_inputs

from mmpose_shn.heads import MultiStageHeatmapHead
from mmpose_shn.heads.multistage_heatmap_head import heatmap_pck

MSRA = dict(type='MSRAHeatmap', input_size=(192, 256), heatmap_size=(48, 64),
            sigma=2)
CODECS = dict(
    msra=MSRA,
    dark=dict(MSRA, unbiased=True, blur_kernel_size=11),
    udp=dict(type='UDPHeatmap', input_size=(192, 256), heatmap_size=(48, 64)),
    megvii=dict(type='MegviiHeatmap', input_size=(192, 256),
                heatmap_size=(48, 64), kernel_size=11))


def head(num_stages=3, **kwargs):
    return MultiStageHeatmapHead(
        **{**dict(num_stages=num_stages, out_channels=17, decoder=MSRA),
           **kwargs})


def stages(num_stages=3, channels=17, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        torch.rand(2, channels, 64, 48, generator=generator)
        for _ in range(num_stages))


def samples():
    np.random.seed(0)
    packed = get_packed_inputs(
        2, input_size=(192, 256), heatmap_size=(48, 64),
        with_heatmap=True)['data_samples']
    for sample in packed:  # keypoints that are not labelled
        sample.gt_instance_labels.keypoint_weights[:, :4] = 0
    return packed


def targets_and_weights(batch):
    return (torch.stack([s.gt_fields.heatmaps for s in batch]),
            torch.cat([s.gt_instance_labels.keypoint_weights for s in batch]))


def cpm_head(num_stages=3, **kwargs):
    return MODELS.build(
        dict(type='CPMHead', in_channels=17, out_channels=17,
             num_stages=num_stages, final_layer=None, decoder=MSRA, **kwargs))


def test_losses_agree_with_cpm_head_and_the_formula():
    batch, feats = samples(), stages()
    ours = head().loss(feats, batch)
    theirs = cpm_head().loss(feats, batch)
    targets, weights = targets_and_weights(batch)
    for i, heatmaps in enumerate(feats):
        formula = ((heatmaps - targets)**2 * weights[..., None, None]).mean()
        assert ours[f'loss_kpt.{i}'].item() == pytest.approx(formula.item())
    assert sum(v for k, v in ours.items() if 'loss' in k).item() == \
        pytest.approx(theirs['loss_kpt'].item())
    assert ours['acc_pose'].item() == pytest.approx(theirs['acc_pose'].item())


def test_stage_weights_and_a_loss_for_every_stage():
    batch, feats = samples(), stages()
    plain = head().loss(feats, batch)
    last_only = head(stage_weights=(0, 0, 2)).loss(feats, batch)
    assert last_only['loss_kpt.0'] == last_only['loss_kpt.1'] == 0
    assert last_only['loss_kpt.2'] == 2 * plain['loss_kpt.2']

    halves = [dict(type='KeypointMSELoss', use_target_weight=True,
                   loss_weight=0.5**i) for i in range(3)]
    for i in range(3):
        assert head(loss=halves).loss(feats, batch)[f'loss_kpt.{i}'].item() \
            == pytest.approx(0.5**i * plain[f'loss_kpt.{i}'].item())


def test_accuracy_agrees_with_mmpose_on_peaks_near_and_far():
    generator = torch.Generator().manual_seed(3)
    target = torch.zeros(20, 5, 32, 48)
    output = torch.zeros_like(target)
    for n in range(20):
        for k in range(5):
            y, x = (torch.randint(s, (1, ), generator=generator)
                    for s in (32, 48))
            dy, dx = torch.randint(-3, 4, (2, ), generator=generator)
            target[n, k, y, x] = 1
            output[n, k, (y + dy).clamp(0, 31), (x + dx).clamp(0, 47)] = 0.7
    output[0] = -1.  # a net that predicts nothing
    mask = torch.rand(20, 5, generator=generator) > 0.3
    mask[:, 4] = False  # a keypoint that never occurs
    _, expected, _ = pose_pck_accuracy(output.numpy(), target.numpy(),
                                       mask.numpy())
    assert 0.1 < expected < 0.9
    assert heatmap_pck(output, target, mask).item() == pytest.approx(expected)
    assert heatmap_pck(output, target, torch.zeros_like(mask)) == 0


def test_training_copies_no_heatmap_to_the_host(monkeypatch):

    def refuse(self, *args, **kwargs):
        raise AssertionError('a tensor was copied to the host')

    batch = samples()
    for name in ('numpy', 'cpu', 'item', 'tolist'):
        monkeypatch.setattr(torch.Tensor, name, refuse)
    head().loss(stages(), batch)


@pytest.mark.parametrize('stage', [0, 1, 2, -1, -3])
@pytest.mark.parametrize('flip_test', [False, True])
def test_decodes_the_stage_that_is_asked_for(stage, flip_test):
    batch, feats = samples(), stages()
    test_cfg = ConfigDict(flip_test=flip_test, shift_heatmap=True)
    given = [feats, stages(seed=1)] if flip_test else feats
    ours = head().predict(given, batch, ConfigDict(test_cfg, stage=stage))
    # CPMHead decodes the last stage of what it is given
    one = [[f[stage]] for f in given] if flip_test else [feats[stage]]
    theirs = cpm_head(num_stages=1).predict(one, batch, test_cfg)
    for a, b in zip(ours, theirs, strict=True):
        assert a.keypoints.shape == (1, 17, 2)
        np.testing.assert_array_equal(a.keypoints, b.keypoints)
        np.testing.assert_array_equal(a.keypoint_scores, b.keypoint_scores)


def test_output_heatmaps():
    feats = stages()
    preds, fields = head().predict(feats, samples(),
                                   dict(output_heatmaps=True, stage=1))
    assert len(preds) == len(fields) == 2
    assert torch.equal(fields[1].heatmaps, feats[1][1])


@pytest.mark.parametrize('codec', CODECS)
def test_codecs(codec):
    """Targets that a codec encodes come back as the keypoints they were."""
    cfg = CODECS[codec]
    codec = KEYPOINT_CODECS.build(cfg)
    keypoints = np.random.default_rng(0).uniform(40, 150, (2, 1, 17, 2))
    visible = np.ones((1, 17), dtype=np.float32)
    heatmaps = torch.from_numpy(
        np.stack([codec.encode(k, visible)['heatmaps'] for k in keypoints]))
    preds = head(num_stages=1, decoder=cfg).predict([heatmaps], samples())
    for pred, truth in zip(preds, keypoints):
        # the least exact of them rounds to a quarter of a heatmap's pixel
        assert np.abs(pred.keypoints - truth).max() < 2.1


def test_combined_udp_heatmaps():
    """Three channels for every keypoint: supervised and decoded, without the
    accuracy, which is defined for one."""
    cfg = dict(CODECS['udp'], heatmap_type='combined')
    codec = KEYPOINT_CODECS.build(cfg)
    keypoints = np.random.default_rng(0).uniform(40, 150, (1, 17, 2))
    encoded = codec.encode(keypoints)
    batch = samples()
    for sample in batch:
        sample.gt_fields.heatmaps = torch.from_numpy(encoded['heatmaps'])
    ours = head(num_stages=1, out_channels=51, decoder=cfg,
                loss=dict(type='CombinedTargetMSELoss',
                          use_target_weight=True))
    feats = [torch.from_numpy(encoded['heatmaps'])[None].repeat(2, 1, 1, 1)]
    losses = ours.loss(feats, batch)
    assert losses.keys() == {'loss_kpt.0'} and losses['loss_kpt.0'] == 0
    pred = ours.predict(feats, batch)[0]
    assert np.abs(pred.keypoints - keypoints).max() < 1


@pytest.mark.parametrize('backbone, in_channels, final_layer', [
    (dict(type='HourglassNet', num_stacks=2, feat_channel=8,
          stage_channels=(256, 8, 8, 8, 8, 8), stage_blocks=(1, ) * 6), 8,
     dict(kernel_size=1)),
    (dict(type='CPM', in_channels=3, out_channels=17, feat_channels=8,
          num_stages=2), None, None),
])
def test_serves_mmposes_own_multi_stage_backbones(backbone, in_channels,
                                                  final_layer):
    feats = MODELS.build(backbone)(torch.rand(2, 3, 128, 128))
    ours = head(num_stages=2, in_channels=in_channels,
                final_layer=final_layer)
    heatmaps = ours(feats)
    assert len(heatmaps) == 2
    assert all(h.shape[:2] == (2, 17) for h in heatmaps)
    if final_layer:
        theirs = MODELS.build(
            dict(type='CPMHead', in_channels=8, out_channels=17, num_stages=2))
        ours.load_state_dict(theirs.state_dict())  # the same names
        heatmaps = ours(feats)
        for a, b in zip(heatmaps, theirs(feats)):
            assert torch.equal(a, b)


@pytest.mark.parametrize('name', [
    'td-hm_hourglass52_8xb64-210e_mpii-256x256.py',
    'td-hm_cpm_8xb64-210e_mpii-368x368.py'])
def test_takes_the_place_of_cpm_head_in_mmposes_configs(name):
    cfg = get_config('mmpose::body_2d_keypoint/topdown_heatmap/mpii/' + name)
    cfg.model.head.update(type='MultiStageHeatmapHead')
    if 'hourglass' in name:  # CPMHead's default
        cfg.model.head.final_layer = dict(kernel_size=1)
    assert MODELS.build(cfg.model.head).num_stages == \
        cfg.model.head.num_stages


@pytest.mark.parametrize('arguments, message', [
    (dict(stage_weights=(1, -1, 1)), '`stage_weights` must not be negative'),
    (dict(stage_weights=(0, 0, 0)), 'at least one'),
    (dict(stage_weights=(1, float('nan'), 1)), 'stage_weights'),
    (dict(stage_weights=(1, 1)), '`stage_weights` has 2 entries'),
    (dict(loss=[dict(type='KeypointMSELoss')]), '`loss` has 1 entries'),
    (dict(final_layer=dict(kernel_size=1)), 'needs `in_channels`'),
    (dict(deconv_out_channels=(256, )), 'has no deconvolutions'),
])
def test_arguments_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        head(**arguments)


def test_inputs_that_do_not_fit():
    with pytest.raises(ValueError, match='2 stages, but num_stages=3'):
        head()(stages(2))
    with pytest.raises(ValueError, match='16 heatmaps, but out_channels=17'):
        head()(stages(channels=16))
    with pytest.raises(ValueError, match='a quarter of `input_size`'):
        head().loss([f[..., :24] for f in stages()], samples())
    for stage in (3, -4):
        with pytest.raises(ValueError, match=f'{stage}.*out of range'):
            head().predict(stages(), samples(), dict(stage=stage))
