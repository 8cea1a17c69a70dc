"""The Stacked Hourglass Network, top to bottom: residual, hourglass, stack,
network.

Newell, Yang, Deng: Stacked Hourglass Networks for Human Pose Estimation, ECCV
2016 (https://arxiv.org/abs/1603.06937); section numbers below are the paper's.
"""
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Dict, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from mmpose.registry import MODELS


class ResidualConv(nn.Conv2d):
    """The last convolution of a residual, a class of its own for
    ``init_cfg`` to name."""


class PredictionConv(nn.Conv2d):
    """The convolution that predicts heatmaps, a class of its own for
    ``init_cfg`` to name."""


def _norm(norm_cfg: dict, channels: int) -> nn.Module:
    return build_norm_layer(norm_cfg, channels)[1]


class Residual(BaseModule):
    """Pre-activation bottleneck (Section 3.2, Figure 4 left).

    Norm, ReLU and convolution (1x1, 3x3, 1x1), three times; the middle is half
    as wide as the output. The skip is the identity where the widths agree and
    a bare 1x1 convolution of the raw input where they do not.

    Args:
        in_channels (int): Channels of the input.
        out_channels (int): Channels of the output; even.
        norm_cfg (dict): Config of the normalisation layers.
    """

    def __init__(self, in_channels: int, out_channels: int, norm_cfg: dict):
        super().__init__()
        middle = out_channels // 2
        self.norm1 = _norm(norm_cfg, in_channels)
        self.conv1 = nn.Conv2d(in_channels, middle, 1)
        self.norm2 = _norm(norm_cfg, middle)
        self.conv2 = nn.Conv2d(middle, middle, 3, padding=1)
        self.norm3 = _norm(norm_cfg, middle)
        self.conv3 = ResidualConv(middle, out_channels, 1)
        self.relu = nn.ReLU(inplace=True)
        self.skip = nn.Identity() if in_channels == out_channels else \
            nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H, W)."""
        y = self.conv1(self.relu(self.norm1(x)))
        y = self.conv2(self.relu(self.norm2(y)))
        y = self.conv3(self.relu(self.norm3(y)))
        return self.skip(x) + y


def _residuals(num_blocks: int, channels: int, norm_cfg: dict) -> nn.Module:
    return nn.Sequential(*(Residual(channels, channels, norm_cfg)
                           for _ in range(num_blocks)))


class Hourglass(BaseModule):
    """One hourglass: down to the lowest resolution and up again, with a
    branch at every resolution (Section 3.1, Figure 3).

    Args:
        depth (int): Number of halvings.
        channels (int): Width, the same at every resolution.
        num_blocks (int): Residuals at each place.
        norm_cfg (dict): Config of the normalisation layers.
    """

    def __init__(self, depth: int, channels: int, num_blocks: int,
                 norm_cfg: dict):
        super().__init__()
        self.up1 = _residuals(num_blocks, channels, norm_cfg)
        self.low1 = _residuals(num_blocks, channels, norm_cfg)
        self.low2 = _residuals(num_blocks, channels, norm_cfg) \
            if depth == 1 else Hourglass(depth - 1, channels, num_blocks,
                                         norm_cfg)
        self.low3 = _residuals(num_blocks, channels, norm_cfg)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W), H and W multiples of 2^depth."""
        low = self.low3(self.low2(self.low1(F.max_pool2d(x, 2))))
        return self.up1(x) + F.interpolate(low, scale_factor=2, mode='nearest')


class Stack(BaseModule):
    """An hourglass, its prediction, and the way on to the next stack
    (Section 3.2, Figure 4 right).

    Args:
        depth (int): Number of halvings of the hourglass.
        channels (int): Width of the features.
        out_channels (int): Number of heatmaps.
        num_blocks (int): Residuals at each place.
        norm_cfg (dict): Config of the normalisation layers.
        is_last (bool): Whether no stack follows.
    """

    def __init__(self, depth: int, channels: int, out_channels: int,
                 num_blocks: int, norm_cfg: dict, is_last: bool):
        super().__init__()
        self.hourglass = Hourglass(depth, channels, num_blocks, norm_cfg)
        self.features = nn.Sequential(
            _residuals(num_blocks, channels, norm_cfg),
            nn.Conv2d(channels, channels, 1), _norm(norm_cfg, channels),
            nn.ReLU(inplace=True))
        self.predict = PredictionConv(channels, out_channels, 1)
        if not is_last:
            self.merge_features = nn.Conv2d(channels, channels, 1)
            self.merge_heatmaps = nn.Conv2d(out_channels, channels, 1)
        self.is_last = is_last

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        """(N, C, h, w) -> input of the next stack (N, C, h, w), heatmaps
        (N, K, h, w). The former is ``x`` itself in the last stack."""
        y = self.features(self.hourglass(x))
        heatmaps = self.predict(y)
        if not self.is_last:
            x = x + self.merge_features(y) + self.merge_heatmaps(heatmaps)
        return x, heatmaps


@MODELS.register_module()
class StackedHourglass(BaseModule):
    """The Stacked Hourglass Network.

    Every stack predicts heatmaps, and all but the last feed them back into
    the features of the next, so the prediction belongs to the backbone:
    :class:`MultiStageHeatmapHead` supervises and decodes what it returns.

    Args:
        num_stacks (int): Number of hourglasses. Defaults to 8 (Section 3.3).
        num_blocks (int): Residuals at each place. Defaults to 1. (The paper's
            Table 1 writes the networks of equal size as stacks x residuals.)
        out_channels (int): Number of heatmaps K. Defaults to 16, MPII's
            keypoints.
        feat_channels (int): Width of the features. Defaults to 256
            (Section 3.1).
        stem_channels (Sequence[int]): Channels after the 7x7 convolution,
            after the first and after the second residual of the stem.
            Defaults to ``(64, 128, 128)``, the authors' Torch7 and PyTorch
            code; ``(64, 128, 256)`` is that of bearpaw/pytorch-pose and its
            published weights.
        depth (int): Number of halvings in an hourglass. Defaults to 4: 64x64
            down to 4x4 (Section 3.1).
        norm_cfg (dict): Config of the normalisation layers: ``BN``,
            ``SyncBN`` or ``dict(type='GN', num_groups=32)``. Defaults to
            ``dict(type='BN')``. With GN, ``num_groups`` has to divide half
            of every width.
        with_cp (bool): Activation checkpointing: keep only what passes from
            one stack to the next and compute the rest again for the backward
            pass. Less memory, more time, the same gradients and the same
            BatchNorm statistics. Defaults to False.
        channels_last (bool): Keep weights and activations in PyTorch's
            channels-last layout: the same network, faster on CPUs and, with
            mixed precision, on GPUs. Defaults to False.
        init_cfg (dict | list[dict], optional): Initialisation. The default
            starts the predictions near zero, N(0, 1e-3), and the last
            convolution of every residual at zero. With PyTorch's own
            initialisation, which all published codes use and
            ``init_cfg=None`` selects, the first predictions are large, are
            fed back, and take the first epochs to unlearn (measured in
            docs/results.md).

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(self,
                 num_stacks: int = 8,
                 num_blocks: int = 1,
                 out_channels: int = 16,
                 feat_channels: int = 256,
                 stem_channels: Sequence[int] = (64, 128, 128),
                 depth: int = 4,
                 norm_cfg: dict = dict(type='BN'),
                 with_cp: bool = False,
                 channels_last: bool = False,
                 init_cfg: Optional[dict] = [
                     dict(type='Normal', layer='PredictionConv', std=1e-3),
                     dict(type='Constant', layer='ResidualConv', val=0),
                 ]):
        super().__init__(init_cfg)
        for name, value in dict(num_stacks=num_stacks, num_blocks=num_blocks,
                                out_channels=out_channels,
                                feat_channels=feat_channels,
                                depth=depth).items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(f'StackedHourglass: {name} must be a '
                                 f'positive integer, got {value!r}.')
        widths = (*stem_channels, feat_channels)
        if len(widths) != 4 or any(w < 2 or w % 2 for w in widths):
            raise ValueError(
                'StackedHourglass: stem_channels must be three widths and, '
                'like feat_channels, even; got stem_channels='
                f'{tuple(stem_channels)}, feat_channels={feat_channels}.')

        self.num_stacks = num_stacks
        self.out_channels = out_channels
        self.with_cp = with_cp
        # two halvings in the stem, `depth` in every hourglass
        self.size_divisor = 2**(depth + 2)

        first, second, third = stem_channels
        self.stem = nn.Sequential(
            nn.Conv2d(3, first, 7, stride=2, padding=3),
            _norm(norm_cfg, first), nn.ReLU(inplace=True),
            Residual(first, second, norm_cfg), nn.MaxPool2d(2),
            Residual(second, third, norm_cfg),
            Residual(third, feat_channels, norm_cfg))
        self.stacks = nn.ModuleList(
            Stack(depth, feat_channels, out_channels, num_blocks, norm_cfg,
                  is_last=i == num_stacks - 1) for i in range(num_stacks))
        # now, because pruning and the like rename the weights
        self._architecture = architecture_of(self.state_dict())
        # convolutions hand the layout of their weights on to their output
        if channels_last:
            self.to(memory_format=torch.channels_last)

    def _load_from_state_dict(self, state_dict: dict, prefix: str,
                              local_metadata: dict, strict: bool,
                              missing_keys: list, unexpected_keys: list,
                              error_msgs: list) -> None:
        """Load weights, all of them or none.

        MMEngine only warns of keys that it does not find and of shapes that
        differ, and leaves those layers at random. Here that is an error, but
        for the prediction (``predict``, ``merge_heatmaps``), all of which may
        be absent and then starts anew. A network of fewer stacks takes the
        first ones of a longer checkpoint. Weights that lie under
        ``backbone.``, as in a checkpoint of a whole pose estimator, are found
        as well.

        Raises:
            ValueError: If the state dict has no weights of this network, not
                all of them, or those of one that differs in its arguments.
        """
        # Only keys with our prefix get here. If there are none, either weights
        # of the rest of a model are loaded, or those of another code base, of
        # whose keys the model has already said that it does not know them.
        if state_dict or unexpected_keys:
            self._fit_state_dict(state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, local_metadata,
                                      strict, missing_keys, unexpected_keys,
                                      error_msgs)

    def _fit_state_dict(self, state_dict: dict, prefix: str) -> None:
        expected = {key: tensor.shape
                    for key, tensor in self.state_dict().items()}
        if expected == {key[len(prefix):]: tensor.shape
                        for key, tensor in state_dict.items()
                        if key.startswith(prefix) and
                        isinstance(tensor, Tensor)}:
            return  # whatever was done to its modules, it is this network

        whole = f'{prefix}backbone.'
        if not _own(state_dict, prefix):
            for key in [k for k in state_dict if k.startswith(whole)]:
                state_dict[prefix + key[len(whole):]] = state_dict.pop(key)
        weights = _own(state_dict, prefix)
        if not weights:
            raise ValueError(
                'StackedHourglass: the checkpoint holds no weights of this '
                f'network: no key begins with "{prefix}stem." or "{prefix}'
                'stacks.". A file that another code base published is named '
                'with a scheme in front, shn://PATH, as in '
                'load_from="shn://model_best.pth.tar"; see docs/weights.md.')

        ours = self._architecture
        try:
            theirs = architecture_of(weights)
        except KeyError as error:
            raise ValueError('StackedHourglass: the checkpoint is incomplete: '
                             f'it has no {prefix}{error.args[0]}.') from None
        if theirs['num_stacks'] > self.num_stacks:
            print_log(
                f'StackedHourglass: the first {self.num_stacks} of the '
                f'{theirs["num_stacks"]} stacks in the checkpoint are loaded, '
                'the others are left out.', 'current')
            theirs['num_stacks'] = self.num_stacks
            last = f'stacks.{self.num_stacks - 1}.merge_'
            for key in weights:
                if key.startswith(last) or _stack(key) >= self.num_stacks:
                    del state_dict[prefix + key]
            weights = _own(state_dict, prefix)

        differences = [
            f'{name}={theirs[name]} in the checkpoint, {ours[name]} in the '
            'config' for name in ours
            if theirs[name] not in (None, ours[name])
        ]
        if differences:
            advice = ''
            if theirs['out_channels'] not in (None, self.out_channels):
                advice = (' To fine-tune to other keypoints load it as '
                          f'shn://PATH?out_channels={self.out_channels}: the '
                          'layers of the prediction then start anew.')
            raise ValueError('StackedHourglass: the checkpoint is of another '
                             f'network: {"; ".join(differences)}.{advice}')
        # old versions of PyTorch have no counters
        absent = [key for key in expected if key not in weights
                  and not key.endswith('.num_batches_tracked')]
        if not any(map(_is_prediction, weights)):
            print_log(
                'StackedHourglass: the checkpoint has no prediction: `predict`'
                ' and `merge_heatmaps` start anew.', 'current')
            absent = [key for key in absent if not _is_prediction(key)]
        problems = [f'{prefix}{key}' for key in absent] + [
            f'{prefix}{key}' for key, tensor in weights.items()
            if expected.get(key) != tensor.shape
        ]
        if problems:
            raise ValueError(
                f'StackedHourglass: {len(problems)} weights of the checkpoint '
                'are missing, superfluous or of another shape: '
                f'{", ".join(problems[:4])}{" ..." * (len(problems) > 4)}.')

    def forward(self, x: Tensor) -> Tuple[Tensor, ...]:
        """Predict the heatmaps of every stack.

        Args:
            x (Tensor): Images of shape (N, 3, H, W), H and W multiples of
                2^(depth+2) (64 for the default depth).

        Returns:
            tuple[Tensor]: ``num_stacks`` tensors of heatmaps of shape
            (N, K, H/4, W/4), in stack order.

        Raises:
            ValueError: If H or W is not such a multiple.
        """
        height, width = x.shape[-2:]
        if height % self.size_divisor or width % self.size_divisor:
            raise ValueError(
                f'StackedHourglass: the input is {width}x{height} (width x '
                'height), but both have to be multiples of '
                f'{self.size_divisor}. Change `input_size` of the codec (and '
                '`heatmap_size`, a quarter of it) in the config.')
        x = self.stem(x)
        heatmaps = []
        for stack in self.stacks:
            if self.with_cp and x.requires_grad:
                x, prediction = checkpoint(
                    stack, x, use_reentrant=False,
                    context_fn=partial(_checkpoint_contexts, stack))
            else:
                x, prediction = stack(x)
            heatmaps.append(prediction)
        return tuple(heatmaps)


def architecture_of(state_dict: Dict[str, Tensor]) -> dict:
    """Read off its weights which network they are of.

    Args:
        state_dict (dict[str, Tensor]): Weights of a
            :class:`StackedHourglass`.

    Returns:
        dict: The arguments of :class:`StackedHourglass` that determine the
        weights. ``out_channels`` is None where the predictions are missing.
        The groups of GroupNorm leave no trace: 32 is taken for granted.

    Raises:
        KeyError: If a weight is missing from which an argument is read.
    """

    def width(layer: str) -> int:
        return state_dict[f'{layer}.weight'].shape[0]

    def count(layer: str) -> int:
        """Number of layers whose names differ in their place in a list."""
        found = 0
        while f'{layer.format(found)}.weight' in state_dict:
            found += 1
        return found

    hourglass, depth = 'stacks.0.hourglass.', 0
    while f'{hourglass}up1.0.conv1.weight' in state_dict:
        hourglass, depth = f'{hourglass}low2.', depth + 1
    predict = state_dict.get('stacks.0.predict.weight')
    return dict(
        num_stacks=count('stacks.{}.features.1'),
        num_blocks=count('stacks.0.features.0.{}.conv1'),
        out_channels=None if predict is None else predict.shape[0],
        feat_channels=width('stacks.0.features.1'),
        stem_channels=(width('stem.0'), width('stem.3.conv3'),
                       width('stem.5.conv3')),
        depth=depth,
        norm_cfg=dict(type='BN') if 'stem.1.running_mean' in state_dict else
        dict(type='GN', num_groups=32))


def _own(state_dict: dict, prefix: str) -> dict:
    """The weights under ``prefix`` that are named as ours."""
    return {
        key[len(prefix):]: tensor for key, tensor in state_dict.items()
        if key.startswith((f'{prefix}stem.', f'{prefix}stacks.'))
    }


def _stack(key: str) -> int:
    """The stack that a weight belongs to, -1 if it belongs to none."""
    number = key.split('.')[1]
    return int(number) if key.startswith('stacks.') and number.isdigit() \
        else -1


def _is_prediction(key: str) -> bool:
    return '.predict.' in key or '.merge_heatmaps.' in key


def _checkpoint_contexts(stack: Stack) -> tuple:
    """The contexts of the forward pass and of its repetition."""
    return nullcontext(), _frozen_statistics(stack)


@contextmanager
def _frozen_statistics(module: nn.Module):
    """Keep BatchNorm from counting a batch a second time when checkpointing
    computes it again."""
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm)]
    before = [(m.momentum, m.num_batches_tracked) for m in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0., None
    try:
        yield
    finally:
        for norm, (momentum, num_batches) in zip(norms, before):
            norm.momentum, norm.num_batches_tracked = momentum, num_batches
