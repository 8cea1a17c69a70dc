import numpy as np
import pytest
from mmpose.registry import KEYPOINT_CODECS

SIZES = dict(input_size=(256, 256), heatmap_size=(64, 64), sigma=1)


def codec(**kwargs):
    return KEYPOINT_CODECS.build(dict(type='PixelHeatmap', **SIZES, **kwargs))


@pytest.mark.parametrize('x, pixel', [(40, 10), (41.9, 10), (43.9, 10),
                                      (44, 11), (0, 0), (255, 63)])
def test_drawn_at_the_pixel_it_lies_in(x, pixel):
    heatmap = codec().encode(np.float32([[[x, 100]]]))['heatmaps'][0]
    assert np.unravel_index(heatmap.argmax(), (64, 64)) == (25, pixel)
    assert heatmap.max() == 1


def test_decoded_to_the_middle_of_the_pixel_and_a_quarter_on():
    heatmaps = np.zeros((3, 64, 64), np.float32)
    heatmaps[:, 20, 30] = 1
    heatmaps[1, 20, 31] = heatmaps[1, 19, 30] = 0.5
    keypoints, scores = codec().decode(heatmaps)
    # 4 pixels of the input for each of the heatmap: + 2, and +- 1
    assert keypoints[0, :2].tolist() == [[122, 82], [123, 81]]
    assert scores.tolist() == [[1, 1, 1]]


def test_encoded_and_decoded_without_bias():
    rng = np.random.default_rng(0)
    points = rng.uniform(20, 236, (500, 2)).astype(np.float32)
    error = np.array([
        codec().decode(codec().encode(p[None, None])['heatmaps'])[0][0, 0] - p
        for p in points
    ])
    assert np.abs(error).max() <= 2  # half a heatmap pixel
    assert np.abs(error.mean(0)).max() < 0.2
