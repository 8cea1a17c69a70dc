"""The names of princeton-vl/pytorch_stacked_hourglass."""
import re
from typing import Dict, Iterator, Tuple

from torch import Tensor

MARKS = ('pre.0.conv.weight', 'hgs.0.0.up1.conv1.conv.weight',
         'outs.0.conv.weight')

# What their code builds, whatever its options (models/posenet.py)
ARCHITECTURE = dict(
    stem_channels=(64, 128, 128),
    num_blocks=1,
    depth=4,
    norm_cfg=dict(type='BN'))


def layers(num_stacks: int, num_blocks: int,
           depth: int) -> Iterator[Tuple[str, str]]:
    """Our and their name of every layer. They know one block only."""
    yield 'stem.0', 'pre.0.conv'
    yield 'stem.1', 'pre.0.bn'
    for ours, theirs in (3, 1), (5, 3), (6, 4):
        yield from _residual(f'stem.{ours}', f'pre.{theirs}')
    for i in range(num_stacks):
        for level in range(depth):  # here 0 is the outermost
            down = 'low2.' * level
            for place in ['up1', 'low1', 'low3'] + ['low2'] * (level
                                                               == depth - 1):
                yield from _residual(f'stacks.{i}.hourglass.{down}{place}.0',
                                     f'hgs.{i}.0.{down}{place}')
        yield from _residual(f'stacks.{i}.features.0.0', f'features.{i}.0')
        yield f'stacks.{i}.features.1', f'features.{i}.1.conv'
        yield f'stacks.{i}.features.2', f'features.{i}.1.bn'
        yield f'stacks.{i}.predict', f'outs.{i}.conv'
        yield f'stacks.{i}.merge_features', f'merge_features.{i}.conv.conv'
        yield f'stacks.{i}.merge_heatmaps', f'merge_preds.{i}.conv.conv'


def _residual(ours: str, theirs: str) -> Iterator[Tuple[str, str]]:
    for n in 1, 2, 3:
        yield f'{ours}.norm{n}', f'{theirs}.bn{n}'
        yield f'{ours}.conv{n}', f'{theirs}.conv{n}.conv'
    yield f'{ours}.skip', f'{theirs}.skip_layer.conv'


def size(keys) -> Dict[str, int]:
    """Read the arguments of :func:`layers` off their keys."""
    depth = 0
    while f'hgs.0.0.{"low2." * depth}up1.conv1.conv.weight' in keys:
        depth += 1
    stacks = {m[1] for m in (re.match(r'outs\.(\d+)\.', k) for k in keys) if m}
    return dict(num_stacks=len(stacks), num_blocks=1, depth=depth)


def before_ours(state_dict: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """Leave out the skip convolutions of residuals whose widths agree: they
    are always there and never used."""
    unused = {
        key.rpartition('.')[0] for key, tensor in state_dict.items()
        if key.endswith('.skip_layer.conv.weight')
        and tensor.shape[0] == tensor.shape[1]
    }
    return {
        key: tensor for key, tensor in state_dict.items()
        if key.rpartition('.')[0] not in unused
    }


def after_theirs(state_dict: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """Add zeros for the skip convolutions that their code wants to load and
    does not use."""
    result = dict(state_dict)
    for key, tensor in state_dict.items():
        skip = key.replace('.conv3.conv.', '.skip_layer.conv.')
        if key.endswith('.conv3.conv.weight') and skip not in state_dict:
            width = tensor.shape[0]
            result[skip] = tensor.new_zeros(width, width, 1, 1)
            result[skip.replace('.weight', '.bias')] = tensor.new_zeros(width)
    return result
