"""Heatmaps as the published Stacked Hourglass codes make and read them."""
from typing import Optional, Tuple

import numpy as np
from mmpose.codecs import MSRAHeatmap
from mmpose.registry import KEYPOINT_CODECS


@KEYPOINT_CODECS.register_module()
class PixelHeatmap(MSRAHeatmap):
    """MSRAHeatmap whose pixels have an area.

    A keypoint is drawn at the heatmap pixel that it lies in, and a peak is
    decoded to the middle of its pixel (moved by a quarter of a pixel towards
    the higher neighbour). That is what pose-hg-train, bearpaw/pytorch-pose and
    pytorch_stacked_hourglass do: they round down where they draw and add 0.5
    where they decode. MSRAHeatmap draws at the nearest pixel and decodes to
    its corner, so that networks published by them would be read half a heatmap
    pixel, 2 pixels of a 256x256 input, too far up and left.

    Args:
        input_size (tuple): Width and height of the network's input.
        heatmap_size (tuple): Width and height of the heatmaps.
        sigma (float): Standard deviation of the Gaussian in heatmap pixels.
        **kwargs: As for MSRAHeatmap.
    """

    def encode(self,
               keypoints: np.ndarray,
               keypoints_visible: Optional[np.ndarray] = None) -> dict:
        """Draw keypoints (1, K, 2), in pixels of the input; see
        MSRAHeatmap."""
        return super().encode(keypoints - self.scale_factor / 2,
                              keypoints_visible)

    def decode(self, encoded: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Heatmaps (K, h, w) -> keypoints (1, K, 2) in pixels of the input
        and scores (1, K)."""
        keypoints, scores = super().decode(encoded)
        return keypoints + self.scale_factor / 2, scores
