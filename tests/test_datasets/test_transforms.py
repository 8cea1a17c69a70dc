"""The crop of the published codes, on a picture whose colours say where in it
a pixel lies."""
import numpy as np
import pytest
from mmpose.registry import TRANSFORMS


def crop(center, side, size=256, shape=(300, 400), **kwargs):
    """-> x and y (0-based, in the picture) of every pixel of the crop"""
    y, x = np.mgrid[:shape[0], :shape[1]]
    step = TRANSFORMS.build(
        dict(type='WholePixelCrop', input_size=(size, size), **kwargs))
    results = step.transform(dict(
        img=np.stack([x, y, np.ones_like(x)], -1).astype(np.float32),
        bbox_center=np.float32([center]),
        bbox_scale=np.float32([[side, side]])))
    return results


@pytest.mark.parametrize('kwargs, tolerance', [
    # half a pixel of the input by their resizing, half a pixel of what they
    # cut it out of by their rounding
    (dict(), 0.5 + 0.5),
    (dict(one_based=True), 0.5 + 1),
    (dict(shrink_first=True), 0.5 + 1),
    (dict(shrink_first=True, one_based=True), 0.5 + 1),
])
@pytest.mark.parametrize('center, side', [
    ((150, 140), 256), ((150.3, 140.8), 201.7), ((199.2, 160.6), 130.5),
    ((20, 290), 300.), ((200, 150), 900.)])
def test_it_is_the_box(kwargs, tolerance, center, side):
    img = crop(center, side, **kwargs)['img']
    assert img.shape == (256, 256, 3)
    inside = img[..., 2] == 1
    v, u = np.nonzero(inside)
    scale = side / 256
    for axis, pixels in enumerate((u, v)):
        expected = center[axis] + (pixels - 128) * scale
        error = (img[..., axis][inside] - expected) / scale
        # more than 1 pixel of the picture for 1 of the input
        assert np.abs(error).max() <= tolerance * max(1, 1 / scale) + 0.1
    x, y = (center[axis] + (np.array([0, 255]) - 128) * scale
            for axis in (0, 1))
    covered = np.prod([min(limit, high) - max(0, low) for limit, (low, high)
                       in ((400, x), (300, y))]) / side**2
    assert inside.mean() == pytest.approx(covered, abs=0.03)


def test_whole_pixels():
    """A box as large as the input is copied."""
    img = crop((150.4, 140.7), 256)['img']
    assert np.array_equal(img[..., 0], np.tile(np.arange(256) + 23, (256, 1)))
    assert np.array_equal(img[:, 0, 1], np.arange(256) + 13)


def test_decoded_by_the_box_as_it_was():
    results = crop((150.4, 140.7), 256, shift=0.5)
    assert results['input_center'] == pytest.approx([150.9, 141.2])
    assert results['input_scale'].tolist() == [256, 256]
    assert results['input_size'] == (256, 256)


def test_a_box_outside_of_the_picture_and_one_without_size():
    assert not crop((-500, -500), 100)['img'].any()
    assert crop((100, 100), 0.5)['img'].shape == (256, 256, 3)
    assert crop((5000, 100), 100000., shrink_first=True)['img'].shape == \
        (256, 256, 3)
