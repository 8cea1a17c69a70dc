import pytest
import torch
import torch.nn.functional as F
from mmpose.registry import MODELS
from torch import nn

from mmpose_shn.backbones import StackedHourglass

BEARPAW_STEM, AUTHORS_STEM = (64, 128, 256), (64, 128, 128)


def small(**kwargs):
    arguments = dict(num_stacks=2, out_channels=5, feat_channels=16,
                     stem_channels=(8, 12, 14), depth=2)
    return StackedHourglass(**{**arguments, **kwargs})


def randomised(network):
    """Random weights and BatchNorm statistics, so that nothing is trivial."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in network.state_dict().items():
        if tensor.dtype.is_floating_point:
            noise = torch.randn(tensor.shape, generator=generator)
            if name.endswith('running_var'):
                tensor.copy_(noise.abs() + 0.5)
            elif tensor.ndim == 4:  # keep the activations' scale
                tensor.copy_(noise / tensor[0].numel()**0.5)
            else:
                tensor.copy_(0.3 * noise + (tensor.ndim == 1))
    return network.eval()


# The parameter counts of the public implementations. princeton's, which hold
# an unused skip convolution in every residual of equal widths, less those.
@pytest.mark.parametrize('stem, num_stacks, count', [
    (BEARPAW_STEM, 1, 3_586_960),
    (BEARPAW_STEM, 2, 6_730_912),
    (BEARPAW_STEM, 8, 25_594_624),
    (AUTHORS_STEM, 2, 8_429_088 - 1_858_688),
    (AUTHORS_STEM, 8, 32_819_328 - 7_385_216),
])
def test_parameter_counts(stem, num_stacks, count):
    network = StackedHourglass(num_stacks=num_stacks, stem_channels=stem)
    assert sum(p.numel() for p in network.parameters()) == count


def reference_forward(state, x, num_stacks, num_blocks, depth):
    """The network written a second time, from its description, on tensors."""

    def conv(x, name, **kwargs):
        return F.conv2d(x, state[f'{name}.weight'], state[f'{name}.bias'],
                        **kwargs)

    def norm_relu(x, name):
        mean, var, weight, bias = (
            state[f'{name}.{key}'].view(1, -1, 1, 1)
            for key in ('running_mean', 'running_var', 'weight', 'bias'))
        return ((x - mean) / (var + 1e-5).sqrt() * weight + bias).clamp(min=0)

    def residual(x, name):
        y = conv(norm_relu(x, f'{name}.norm1'), f'{name}.conv1')
        y = conv(norm_relu(y, f'{name}.norm2'), f'{name}.conv2', padding=1)
        y = conv(norm_relu(y, f'{name}.norm3'), f'{name}.conv3')
        skip = f'{name}.skip'
        return (conv(x, skip) if f'{skip}.weight' in state else x) + y

    def residuals(x, name):
        for block in range(num_blocks):
            x = residual(x, f'{name}.{block}')
        return x

    def hourglass(x, name, level):
        low = residuals(F.max_pool2d(x, 2), f'{name}.low1')
        if level > 1:
            low = hourglass(low, f'{name}.low2', level - 1)
        else:
            low = residuals(low, f'{name}.low2')
        low = residuals(low, f'{name}.low3')
        low = low.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        return residuals(x, f'{name}.up1') + low

    x = norm_relu(conv(x, 'stem.0', stride=2, padding=3), 'stem.1')
    x = F.max_pool2d(residual(x, 'stem.3'), 2)
    x = residual(residual(x, 'stem.5'), 'stem.6')
    heatmaps = []
    for i in range(num_stacks):
        name = f'stacks.{i}'
        y = residuals(hourglass(x, f'{name}.hourglass', depth),
                      f'{name}.features.0')
        y = norm_relu(conv(y, f'{name}.features.1'), f'{name}.features.2')
        heatmaps.append(conv(y, f'{name}.predict'))
        if i < num_stacks - 1:
            x = x + conv(y, f'{name}.merge_features') + conv(
                heatmaps[-1], f'{name}.merge_heatmaps')
    return heatmaps


@pytest.mark.parametrize('num_blocks', [1, 2])
@pytest.mark.parametrize('depth', [2, 4])
@pytest.mark.parametrize('stem', [(8, 12, 14), (8, 12, 16)])
def test_agrees_with_an_independent_forward(num_blocks, depth, stem):
    network = randomised(
        small(num_stacks=3, num_blocks=num_blocks, depth=depth,
              stem_channels=stem))
    x = torch.rand(2, 3, 64, 128, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours = network(x)
        theirs = reference_forward(network.state_dict(), x, 3, num_blocks,
                                   depth)
    assert len(ours) == len(theirs) == 3
    for a, b in zip(ours, theirs):
        assert a.shape == (2, 5, 16, 32)
        assert (a - b).abs().max() <= 1e-5 * b.abs().max()


def test_heatmaps_are_fed_back():
    network = randomised(small())
    x = torch.rand(1, 3, 32, 32)
    first, second = network(x)
    nn.init.zeros_(network.stacks[0].merge_heatmaps.weight)
    first_without, second_without = network(x)
    assert torch.equal(first, first_without)
    assert not torch.allclose(second, second_without)


@pytest.mark.parametrize('norm_cfg, layer', [
    (dict(type='BN'), nn.BatchNorm2d),
    (dict(type='SyncBN'), nn.SyncBatchNorm),
    (dict(type='GN', num_groups=2), nn.GroupNorm),
])
def test_normalisation_layers(norm_cfg, layer):
    network = small(norm_cfg=norm_cfg, stem_channels=(8, 12, 12))
    norms = [m for m in network.modules() if isinstance(
        m, (nn.BatchNorm2d, nn.SyncBatchNorm, nn.GroupNorm))]
    # stem 1 + 3 residuals of 3; a stack: 4 * depth + 2 of them, and 1
    assert len(norms) == 1 + 9 + 2 * (3 * (3 * 2 + 1 + 1) + 1)
    assert all(isinstance(m, layer) for m in norms)
    if layer is nn.GroupNorm:  # needs no statistics: one image will do
        assert network.train()(torch.rand(1, 3, 16, 16))[0].shape == \
            (1, 5, 4, 4)


def test_checkpointing_changes_memory_only():
    """Same heatmaps, gradients and BatchNorm statistics."""
    results = []
    for with_cp in (False, True):
        network = randomised(small(with_cp=with_cp)).train()
        x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))
        heatmaps = network(x)
        sum(h.square().mean() for h in heatmaps).backward()
        results.append(dict(
            {f'heatmaps.{i}': h.detach() for i, h in enumerate(heatmaps)},
            **{f'grad.{n}': p.grad for n, p in network.named_parameters()},
            **network.state_dict()))
    plain, checkpointed = results
    assert plain.keys() == checkpointed.keys()
    for key, value in plain.items():
        assert torch.allclose(value, checkpointed[key], atol=1e-6), key


def test_default_initialisation_starts_predictions_near_zero():
    network = MODELS.build(dict(type='StackedHourglass', num_stacks=2))
    network.init_weights()
    for stack in network.stacks:
        assert stack.predict.weight.std().item() == pytest.approx(1e-3, 0.05)
        assert not stack.predict.bias.any()
        assert not stack.features[0][0].conv3.weight.any()
        assert stack.features[0][0].conv1.weight.any()


def test_published_initialisation_is_pytorchs():
    network = MODELS.build(
        dict(type='StackedHourglass', num_stacks=1, init_cfg=None))
    network.init_weights()
    # nn.Conv2d draws from U(-1/sqrt(fan_in), 1/sqrt(fan_in))
    for conv in (network.stacks[0].predict,
                 network.stacks[0].features[0][0].conv3):
        bound = conv.weight[0].numel()**-0.5
        assert conv.weight.abs().max() <= bound
        assert conv.weight.std().item() == pytest.approx(bound / 3**0.5, 0.05)


@pytest.mark.parametrize('size', [(32, 40), (33, 32)])
def test_size_that_does_not_divide(size):
    with pytest.raises(ValueError, match='multiples of 16.*input_size'):
        small()(torch.zeros(1, 3, *size))


@pytest.mark.parametrize('arguments', [
    dict(num_stacks=0), dict(num_blocks=-1), dict(depth=0),
    dict(out_channels=0), dict(feat_channels=15), dict(stem_channels=(8, 12)),
    dict(stem_channels=(8, 11, 12)), dict(num_stacks=1.5)
])
def test_arguments_out_of_range(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        small(**arguments)
