"""Steps of the data pipeline."""
import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.datasets.transforms import TopdownAffine
from mmpose.registry import TRANSFORMS


@TRANSFORMS.register_module()
class WholePixelCrop(BaseTransform):
    """Cut a person out as the published Stacked Hourglass codes do.

    They round the corners of the box to whole pixels, cut it out and resize
    it, where MMPose's TopdownAffine samples the picture once. The two differ
    by about half a pixel of the network's input, which is enough to turn the
    quarter of a heatmap pixel by which a peak is refined into the other
    direction. Only for testing: there is no rotation. What is predicted goes
    back to the picture by the box as it was, not as rounded.

    Requires ``img``, ``bbox_center`` and ``bbox_scale``; adds ``input_size``,
    ``input_center`` and ``input_scale``, as TopdownAffine does.

    Args:
        input_size (tuple[int]): Width and height of the network's input.
        shrink_first (bool): Resize the whole picture before cutting where
            the box is at least twice as large as the input (pose-hg-train and
            bearpaw/pytorch-pose). Defaults to False
            (pytorch_stacked_hourglass).
        one_based (bool): Round as bearpaw/pytorch-pose does, which takes
            the corners to be counted from 1. Defaults to False.
        shift (float): Added to the predictions, in pixels of the picture.
            They round these to whole pixels, up or down, and this is what it
            amounts to on average. Defaults to 0.
    """

    def __init__(self,
                 input_size: tuple,
                 shrink_first: bool = False,
                 one_based: bool = False,
                 shift: float = 0.):
        self.input_size = tuple(input_size)
        self.shrink_first = shrink_first
        self.one = int(one_based)
        self.shift = shift

    def transform(self, results: dict) -> dict:
        """Replace ``img`` (H, W, 3) by the person, (h, w, 3)."""
        width, height = self.input_size
        center = results['bbox_center'][0]
        scale = TopdownAffine._fix_aspect_ratio(
            results['bbox_scale'], aspect_ratio=width / height)[0]
        img = results['img']

        # MPII counts from 1, and so do they where they place the box
        middle, side = center.astype(float) + 1, scale.astype(float)
        factor = side[0] / width
        if self.shrink_first and factor >= 2:
            shrunk = np.int_(np.floor(np.array(img.shape[1::-1]) / factor))
            img = cv2.resize(img, tuple(map(int, np.maximum(shrunk, 1))))
            middle, side = middle / factor, side / factor
        first = middle - side / 2 - self.one * side / self.input_size
        # np.trunc: theirs round towards zero on both sides of it
        left, top = np.trunc(first).astype(int) + self.one
        right, bottom = np.trunc(first + side).astype(int) + self.one
        results['img'] = cv2.resize(
            _cut(img, left, top, max(right, left + 1), max(bottom, top + 1)),
            self.input_size)
        results.update(
            input_size=self.input_size,
            input_center=center + self.shift,
            input_scale=scale)
        return results


def _cut(img: np.ndarray, left: int, top: int, right: int,
         bottom: int) -> np.ndarray:
    """A part of a picture, black where it reaches beyond it."""
    patch = np.zeros((bottom - top, right - left, *img.shape[2:]), img.dtype)
    part = img[max(top, 0):max(bottom, 0), max(left, 0):max(right, 0)]
    y, x = max(-top, 0), max(-left, 0)
    patch[y:y + part.shape[0], x:x + part.shape[1]] = part
    return patch
