"""The names of bearpaw/pytorch-pose, with BatchNorm or GroupNorm, and of
anibali/pytorch-stacked-hourglass, which is the same network."""
import re
from typing import Dict, Iterator, Tuple

MARKS = ('conv1.weight', 'hg.0.hg.0.0.0.conv1.weight', 'score.0.weight')

# What their code builds, whatever its options (pose/models/hourglass.py)
ARCHITECTURE = dict(
    stem_channels=(64, 128, 256), feat_channels=256, depth=4)


def layers(num_stacks: int, num_blocks: int,
           depth: int) -> Iterator[Tuple[str, str]]:
    """Our and their name of every layer."""
    yield 'stem.0', 'conv1'
    yield 'stem.1', 'bn1'
    for ours, theirs in (3, 1), (5, 2), (6, 3):
        yield from _residual(f'stem.{ours}', f'layer{theirs}.0')
    for i in range(num_stacks):
        for level in range(depth):  # theirs counts from the innermost
            ours = f'stacks.{i}.hourglass.' + 'low2.' * (depth - 1 - level)
            places = ['up1', 'low1', 'low3'] + ['low2'] * (level == 0)
            for j, place in enumerate(places):
                for b in range(num_blocks):
                    yield from _residual(f'{ours}{place}.{b}',
                                         f'hg.{i}.hg.{level}.{j}.{b}')
        for b in range(num_blocks):
            yield from _residual(f'stacks.{i}.features.0.{b}', f'res.{i}.{b}')
        yield f'stacks.{i}.features.1', f'fc.{i}.0'
        yield f'stacks.{i}.features.2', f'fc.{i}.1'
        yield f'stacks.{i}.predict', f'score.{i}'
        yield f'stacks.{i}.merge_features', f'fc_.{i}'
        yield f'stacks.{i}.merge_heatmaps', f'score_.{i}'


def _residual(ours: str, theirs: str) -> Iterator[Tuple[str, str]]:
    for n in 1, 2, 3:
        yield f'{ours}.norm{n}', f'{theirs}.bn{n}'
        yield f'{ours}.conv{n}', f'{theirs}.conv{n}'
    yield f'{ours}.skip', f'{theirs}.downsample.0'


def size(keys) -> Dict[str, int]:
    """Read the arguments of :func:`layers` off their keys."""

    def count(pattern: str) -> int:
        return len({m[1] for m in (re.match(pattern, k) for k in keys) if m})

    return dict(
        num_stacks=count(r'score\.(\d+)\.'),
        num_blocks=count(r'res\.0\.(\d+)\.'),
        depth=count(r'hg\.0\.hg\.(\d+)\.'))
