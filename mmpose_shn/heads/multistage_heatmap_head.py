"""A head that supervises and decodes the heatmaps of several stages."""
from typing import List, Optional, Sequence, Tuple, Union

import torch
from mmcv.cnn import build_conv_layer
from mmengine.structures import PixelData
from torch import Tensor, nn

from mmpose.models.heads.base_head import BaseHead
from mmpose.models.utils.tta import flip_heatmaps
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.utils.typing import (ConfigType, Features, MultiConfig,
                                 OptConfigType, OptSampleList, Predictions)


@MODELS.register_module()
class MultiStageHeatmapHead(BaseHead):
    """Supervise the heatmaps of every stage and decode those of one.

    :class:`StackedHourglass` predicts its heatmaps inside; this head adds the
    losses of intermediate supervision (Newell et al., ECCV 2016, Section 3.2)
    and the decoding. With ``in_channels`` and ``final_layer`` it predicts from
    the features of other multi-stage backbones (``HourglassNet``, ``CPM``), as
    MMPose's ``CPMHead`` does.

    Args:
        num_stages (int): Number of stages.
        out_channels (int): Number of heatmaps K of a stage.
        in_channels (int, optional): Channels of the features that
            ``final_layer`` predicts from; not used without one. Defaults to
            None.
        deconv_out_channels (None): Only None, for configs of ``CPMHead``.
        final_layer (dict, optional): Arguments of the convolution that
            predicts heatmaps from features, one for every stage, for example
            ``dict(kernel_size=1)``. Defaults to None: the features are the
            heatmaps.
        loss (dict | list[dict]): Loss of all stages, or one for each stage.
            Defaults to ``KeypointMSELoss`` with target weights.
        stage_weights (Sequence[float], optional): Weight of every stage's
            loss, not negative; a stage with weight 0 is not supervised.
            Defaults to None: 1 for every stage, as in the paper.
        decoder (dict, optional): Config of the codec that decodes keypoints.
            Defaults to None, with which the head cannot predict.
        init_cfg (dict | list[dict], optional): Initialisation. Defaults to
            N(0, 1e-3) for the convolutions of ``final_layer``, as in
            ``CPMHead``.

    Raises:
        ValueError: If the number of losses or weights is not the number of
            stages, a weight is negative, all weights are zero, or
            ``final_layer`` is given without ``in_channels``.
    """

    def __init__(self,
                 num_stages: int,
                 out_channels: int,
                 in_channels: Optional[int] = None,
                 deconv_out_channels: None = None,
                 final_layer: OptConfigType = None,
                 loss: MultiConfig = dict(
                     type='KeypointMSELoss', use_target_weight=True),
                 stage_weights: Optional[Sequence[float]] = None,
                 decoder: OptConfigType = None,
                 init_cfg: OptConfigType = dict(
                     type='Normal', layer='Conv2d', std=0.001)):
        super().__init__(init_cfg)
        name = type(self).__name__
        losses = loss if isinstance(loss, (list, tuple)) else \
            [loss] * num_stages
        if len(losses) != num_stages:
            raise ValueError(f'{name}: `loss` has {len(losses)} entries for '
                             f'num_stages={num_stages}.')
        if final_layer is not None and in_channels is None:
            raise ValueError(f'{name}: `final_layer` needs `in_channels`.')
        if deconv_out_channels:
            raise ValueError(f'{name} has no deconvolutions: '
                             '`deconv_out_channels` has to be None.')

        self.num_stages = num_stages
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.stage_weights = check_stage_weights(stage_weights, num_stages)
        self.loss_module = nn.ModuleList(MODELS.build(cfg) for cfg in losses)
        self.decoder = None if decoder is None else \
            KEYPOINT_CODECS.build(decoder)
        self.multi_final_layers = None if final_layer is None else nn.ModuleList(
            build_conv_layer({
                'type': 'Conv2d',
                'in_channels': in_channels,
                'out_channels': out_channels,
                'kernel_size': 1,
                **final_layer
            }) for _ in range(num_stages))

    def forward(self, feats: Sequence[Tensor]) -> List[Tensor]:
        """Return the heatmaps of every stage.

        Args:
            feats (Sequence[Tensor]): ``num_stages`` tensors of shape
                (N, K, h, w), or (N, in_channels, h, w) with ``final_layer``.

        Returns:
            list[Tensor]: ``num_stages`` tensors of shape (N, K, h, w).

        Raises:
            ValueError: If their number or their channels are others.
        """
        if len(feats) != self.num_stages:
            raise ValueError(
                f'{type(self).__name__}: the backbone returned {len(feats)} '
                f'stages, but num_stages={self.num_stages}. Set '
                '`head.num_stages` to `backbone.num_stacks` in the config.')
        if self.multi_final_layers is not None:
            return [f(x) for f, x in zip(self.multi_final_layers, feats)]
        for x in feats:
            if x.shape[1] != self.out_channels:
                raise ValueError(
                    f'{type(self).__name__}: the backbone returned '
                    f'{x.shape[1]} heatmaps, but out_channels='
                    f'{self.out_channels}. Set `out_channels` of backbone and '
                    'head to the number of keypoints of the data set, or '
                    '`final_layer=dict(kernel_size=1)` where the backbone '
                    'returns features.')
        return list(feats)

    def predict(self,
                feats: Features,
                batch_data_samples: OptSampleList,
                test_cfg: ConfigType = {}) -> Predictions:
        """Decode the keypoints of one stage.

        Args:
            feats (Sequence[Tensor] | list[Sequence[Tensor]]): Output of the
                backbone, or, with ``flip_test``, those of the images and of
                the mirrored images.
            batch_data_samples (list[:obj:`PoseDataSample`]): The samples.
            test_cfg (dict): Options of testing:

                - ``stage`` (int): Index of the stage to decode, counted from
                  0, negative ones from the end. Defaults to -1, the last.
                - ``flip_test`` (bool): Average the heatmaps of image and
                  mirrored image; ``flip_mode`` and ``shift_heatmap`` as in
                  MMPose's :func:`flip_heatmaps`. Defaults to False.
                - ``output_heatmaps`` (bool): Return the heatmaps as well.
                  Defaults to False.

        Returns:
            list[:obj:`InstanceData`] | tuple: Per sample the ``keypoints``
            (1, K, 2) in pixels of the network's input and their
            ``keypoint_scores`` (1, K), the peaks of the heatmaps; with
            ``output_heatmaps`` a tuple of that and the list of
            :obj:`PixelData` with ``heatmaps`` (K, h, w).

        Raises:
            ValueError: If ``stage`` is out of range.
        """
        stage = test_cfg.get('stage', -1)
        if not -self.num_stages <= stage < self.num_stages:
            raise ValueError(
                f"{type(self).__name__}: test_cfg['stage']={stage} is out of "
                f'range for {self.num_stages} stages: '
                f'0 to {self.num_stages - 1}, or -1 for the last.')

        if test_cfg.get('flip_test', False):
            straight, mirrored = (self.forward(f)[stage] for f in feats)
            heatmaps = (straight + flip_heatmaps(
                mirrored,
                flip_mode=test_cfg.get('flip_mode', 'heatmap'),
                flip_indices=batch_data_samples[0].metainfo['flip_indices'],
                shift_heatmap=test_cfg.get('shift_heatmap', False))) * 0.5
        else:
            heatmaps = self.forward(feats)[stage]

        preds = self.decode(heatmaps)
        if test_cfg.get('output_heatmaps', False):
            return preds, [PixelData(heatmaps=h) for h in heatmaps.detach()]
        return preds

    def loss(self,
             feats: Sequence[Tensor],
             batch_data_samples: OptSampleList,
             train_cfg: OptConfigType = {}) -> dict:
        """Compute the weighted loss of every stage.

        Args:
            feats (Sequence[Tensor]): Output of the backbone.
            batch_data_samples (list[:obj:`PoseDataSample`]): The samples with
                target heatmaps (K, h, w) and keypoint weights (1, K).
            train_cfg (dict): ``compute_acc`` (bool): also compute the
                accuracy. Defaults to True.

        Returns:
            dict[str, Tensor]: ``loss_kpt.0``, ``loss_kpt.1``, ... of the
            stages (MMEngine logs their sum as ``loss``) and ``acc_pose``,
            the accuracy of the last stage, in [0, 1] (see
            :func:`heatmap_pck`); not where the codec's heatmaps are not one
            for each keypoint (UDP's combined ones).

        Raises:
            ValueError: If predicted and target heatmaps differ in shape.
        """
        stages = self.forward(feats)
        targets = torch.stack(
            [d.gt_fields.heatmaps for d in batch_data_samples])
        weights = torch.cat([
            d.gt_instance_labels.keypoint_weights for d in batch_data_samples
        ])
        if stages[0].shape != targets.shape:
            raise ValueError(
                f'{type(self).__name__}: the network predicts heatmaps of '
                f'shape {tuple(stages[0].shape)} (N, K, h, w), but the codec '
                f'made targets of shape {tuple(targets.shape)}. The codec\'s '
                '`heatmap_size` has to be a quarter of `input_size`, and '
                '`out_channels` the number of keypoints.')

        losses = {
            f'loss_kpt.{i}': weight * loss(heatmaps, targets, weights)
            for i, (heatmaps, loss, weight) in enumerate(
                zip(stages, self.loss_module, self.stage_weights))
        }
        if (train_cfg or {}).get('compute_acc', True) and \
                weights.shape == targets.shape[:2]:
            losses['acc_pose'] = heatmap_pck(stages[-1].detach(), targets,
                                             weights > 0)
        return losses


def check_stage_weights(weights: Optional[Sequence[float]],
                        num_stages: int) -> List[float]:
    """One weight for every stage.

    Args:
        weights (Sequence[float], optional): The weights; None: all 1.
        num_stages (int): Number of stages.

    Returns:
        list[float]: The weights.

    Raises:
        ValueError: If they are not ``num_stages``, one is negative, or none
            is positive.
    """
    if weights is None:
        return [1.] * num_stages
    if len(weights) != num_stages:
        raise ValueError(f'`stage_weights` has {len(weights)} entries for '
                         f'num_stages={num_stages}.')
    # `not w >= 0` is true of NaN as well
    if any(not w >= 0 for w in weights) or not any(weights):
        raise ValueError('`stage_weights` must not be negative and at least '
                         f'one has to be positive, got {list(weights)}.')
    return [float(w) for w in weights]


def heatmap_pck(output: Tensor,
                target: Tensor,
                mask: Tensor,
                thr: float = 0.05) -> Tensor:
    """Share of keypoints whose predicted peak is near the target's.

    The figure that MMPose's heads log during training (``pose_pck_accuracy``),
    computed where the heatmaps are, so that no step waits for a copy.

    Args:
        output (Tensor): Predicted heatmaps (N, K, h, w).
        target (Tensor): Target heatmaps (N, K, h, w).
        mask (Tensor): Which keypoints count, bool (N, K).
        thr (float): Largest distance as a share of the heatmap's size.
            Defaults to 0.05, as in MMPose.

    Returns:
        Tensor: Scalar in [0, 1]: the mean over the keypoints that occur of
        the share of samples within ``thr``; 0 where none occurs.
    """
    height, width = target.shape[-2:]
    distance = (_peaks(output) - _peaks(target)).float()
    # MMPose divides x by the height and y by the width
    distance /= distance.new_tensor([height, width])
    hits = ((distance.norm(dim=-1) < thr) & mask).sum(0)
    counts = mask.sum(0)
    return (hits / counts.clamp(min=1)).sum() / (counts > 0).sum().clamp(min=1)


def _peaks(heatmaps: Tensor) -> Tensor:
    """(N, K, h, w) -> (x, y) of the maxima (N, K, 2), (-1, -1) where a
    heatmap is nowhere positive."""
    maxima, index = heatmaps.flatten(2).max(dim=2)
    width = heatmaps.shape[-1]
    peaks = torch.stack((index % width, index // width), dim=-1)
    return torch.where(maxima[..., None] > 0, peaks, -1)
