"""People drawn by this project, written in the layout of the MPII data set.

Every person is a small articulated skeleton in three dimensions that is
posed, turned, projected and then painted as a flat illustration. Because the
skeleton comes first, the 16 joints are known exactly, also where clothes, the
body itself or an object in front hide them.
"""
import json
import os
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from rich.progress import track
from scipy.io import savemat

from mmpose_shn.datasets.painting import (Canvas, draw_look, head_ellipse,
                                          paint_figure, paint_obstacle,
                                          paint_scene, paint_stool)

# Raise it whenever the same seed would no longer give the same pictures.
VERSION = 1
RECORD = 'drawn_people.json'
GENERATOR = 'mmpose_shn.datasets.drawn_people'
# Validation pictures are numbered from here on, so that the names of the
# training pictures and those of the validation pictures never depend on how
# many there are of the others.
FIRST_VAL = 1_000_000

# The joints in MPII's order, by the names that mpii_gt_val.mat gives them.
JOINTS = ('rank', 'rkne', 'rhip', 'lhip', 'lkne', 'lank', 'pelv', 'thor',
          'neck', 'head', 'rwri', 'relb', 'rsho', 'lsho', 'lelb', 'lwri')

# Segment lengths as fractions of stature: Drillis & Contini, "Body Segment
# Parameters" (1966), as reproduced in Winter, "Biomechanics and Motor Control
# of Human Movement", fig. 4.1. The torso is shoulder height minus hip height
# (0.818 - 0.530), the neck chin height minus shoulder height (0.870 - 0.818).
# The two half widths lie between the centres of the joints and are therefore
# a little under the outer breadths given there (0.129 and 0.0955).
LENGTHS = dict(
    thigh=0.245, shank=0.246, foot=0.152, torso=0.288, neck=0.052,
    head=0.130, upper_arm=0.186, forearm=0.146, hand=0.108,
    shoulder=0.105, hip=0.070)  # yapf: disable

# Angle ranges in degrees. Swing lifts a limb forward, spread outward; the
# elbow bends by `bend`, forward at twist 0, outward at 90 and inward at -90.
ARMS = dict(  # weight, swing, spread, bend, twist
    hang=(.34, (-15, 20), (6, 22), (0, 35), (-30, 10)),
    swing=(.16, (-40, 45), (6, 18), (15, 80), (-20, 10)),
    hips=(.12, (-25, -5), (38, 55), (85, 110), (-100, -80)),
    up=(.12, (140, 175), (5, 40), (0, 70), (-110, -60)),
    wide=(.18, (-10, 25), (50, 100), (0, 90), (-60, 95)),
    reach=(.04, (40, 95), (0, 30), (0, 60), (-80, 0)),
    fold=(.04, (5, 35), (5, 22), (75, 110), (-70, -35)))
LEGS = dict(  # weight, swing, swing, spread, knee, knee, lean
    stand=(.38, (-6, 8), (-6, 8), (2, 9), (0, 8), (0, 8), (-4, 6)),
    straddle=(.17, (-8, 10), (-8, 10), (12, 26), (0, 20), (0, 20), (-4, 10)),
    walk=(.20, (14, 30), (-25, -8), (1, 7), (0, 15), (10, 35), (0, 8)),
    run=(.08, (35, 75), (-35, -5), (1, 8), (50, 100), (30, 90), (8, 20)),
    jump=(.06, (0, 40), (-20, 20), (10, 38), (10, 90), (10, 90), (-8, 12)),
    sit=(.04, (70, 92), (70, 92), (5, 22), (70, 98), (70, 98), (-5, 15)),
    squat=(.03, (55, 90), (55, 90), (14, 35), (80, 120), (80, 120), (8, 30)),
    kick=(.04, (45, 95), (-8, 5), (4, 20), (0, 30), (0, 12), (-15, 5)))


class DrawnPerson(NamedTuple):
    """One drawn picture and its labels.

    Attributes:
        image (np.ndarray): (H, W, 3) uint8 picture in BGR order.
        joints (np.ndarray): (16, 2) float32 joints (x, y) in MPII's order, in
            pixels counted from 0, also of joints outside the picture.
        visible (np.ndarray): (16,) bool, True where the joint is labelled,
            that is inside the picture, whether hidden by something or not.
        head_box (np.ndarray): (2, 2) float32 corners ((x1, y1), (x2, y2)) of
            the upright box around the head, in pixels counted from 0.
        center (np.ndarray): (2,) float32 person centre as in MPII, in pixels
            counted from 0. The person's box has its centre ``15 * scale``
            pixels below.
        scale (float): Person height as in MPII, in units of 200 pixels. The
            person's box has sides of ``1.25 * 200 * scale`` pixels.
        facing (str): 'front', 'back' or 'turned', the direction of the chest
            seen from the viewer (within 40 degrees, or neither of them).
    """
    image: np.ndarray
    joints: np.ndarray
    visible: np.ndarray
    head_box: np.ndarray
    center: np.ndarray
    scale: float
    facing: str


# ---------------------------------------------------------------- skeleton


def _turn(axis, degrees):
    """Rotation matrix in the plane of the two axes other than `axis`."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = ((1, 2), (2, 0), (0, 1))[axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = cos
    matrix[i, j], matrix[j, i] = -sin, sin
    return matrix


def _limb_axes(swing, spread, side):
    """Unit vectors along a limb, and those in which it would swing and spread.

    The axes of the body are its left, down and forward.
    """
    a, s = np.radians(swing), np.radians(spread)
    along = np.array((side * np.sin(s), np.cos(s) * np.cos(a),
                      np.cos(s) * np.sin(a)))  # yapf: disable
    forward = np.array((0, -np.sin(a), np.cos(a)))
    out = np.array((side * np.cos(s), -np.sin(s) * np.cos(a),
                    -np.sin(s) * np.sin(a)))  # yapf: disable
    return along, forward, out


def _weighted(rng, table):
    weights = np.array([row[0] for row in table.values()])
    name = list(table)[rng.choice(len(table), p=weights / weights.sum())]
    return name, table[name][1:]


def _skeleton(rng, yaw):
    """Pose a body of stature 1 that is turned by `yaw` degrees.

    Yaw 0 looks at the viewer, 90 to the right of the picture.

    Returns:
        tuple: Points by name, (3,) each: right, down and towards the viewer
        in units of stature, seen a little from above; depths of the same
        points before the view from above; name of the pose of the legs.
    """
    draw = rng.uniform
    size = {name: length * draw(.94, 1.06) for name, length in LENGTHS.items()}
    # Drawn heads are larger than measured ones, and children's even more.
    size['head'] *= draw(1.5, 1.65) if draw() < .15 else draw(1.2, 1.45)
    legs, (swing_a, swing_b, spread, knee_a, knee_b, lean) = _weighted(
        rng, LEGS)
    forward_side = rng.choice((-1, 1))
    arms = _weighted(rng, ARMS)[1]

    chest = (_turn(1, draw(-15, 15)) @ _turn(2, draw(-8, 8))
             @ _turn(0, draw(*lean)))
    skull = chest @ _turn(2, draw(-12, 12)) @ _turn(0, draw(-12, 12))
    points = dict(pelv=np.zeros(3))
    points['thor'] = chest @ (0, -size['torso'], 0)
    points['neck'] = points['thor'] + skull @ (0, -size['neck'], .01)
    points['head'] = points['neck'] + skull @ (0, -size['head'], 0)

    for side, prefix in ((-1, 'r'), (1, 'l')):
        leading = side == forward_side
        swing = draw(*(swing_a if leading else swing_b))
        along, forward, _ = _limb_axes(swing, draw(*spread), side)
        hip = np.array((side * size['hip'], 0, 0))
        knee = hip + size['thigh'] * along
        bend = np.radians(draw(*(knee_a if leading else knee_b)))
        shin = np.cos(bend) * along - np.sin(bend) * forward
        toes = np.cos(bend) * forward + np.sin(bend) * along
        ankle = knee + size['shank'] * shin
        toe = ankle + size['foot'] * (.8 * toes + .3 * shin
                                      + (.25 * side, 0, 0))

        if draw() < .35:  # otherwise both arms do much the same
            arms = _weighted(rng, ARMS)[1]
        swing, spread_arm, bend, twist = (draw(*limits) for limits in arms)
        along, forward, out = _limb_axes(swing, spread_arm, side)
        bend, twist = np.radians(bend), np.radians(twist)
        lower = np.cos(bend) * along + np.sin(bend) * (
            np.cos(twist) * forward + np.sin(twist) * out)
        shoulder = points['thor'] + chest @ (side * size['shoulder'], .01, 0)
        elbow = shoulder + size['upper_arm'] * (chest @ along)
        wrist = elbow + size['forearm'] * (chest @ lower)
        hand = wrist + .6 * size['hand'] * (chest @ lower)
        for name, point in zip(
            ('hip', 'kne', 'ank', 'toe', 'sho', 'elb', 'wri', 'hand'),
            (hip, knee, ankle, toe, shoulder, elbow, wrist, hand)):
            points[prefix + name] = point

    turned = _turn(1, yaw)
    points = {name: turned @ point for name, point in points.items()}
    depths = {name: point[2] for name, point in points.items()}
    # Near points lie lower in the picture when the viewer looks down.
    from_above = _turn(0, -draw(2, 18))
    return {n: from_above @ p for n, p in points.items()}, depths, legs


# ----------------------------------------------------------------- picture


def _yaw(rng):
    """Direction of a body in degrees: mostly front, a quarter back."""
    kind = rng.choice(3, p=(.72, .25, .03))
    if kind < 2:
        return rng.uniform(-38, 38) + 180 * kind
    return rng.uniform(42, 80) * rng.choice((-1, 1))


def _placed(body, unit, shift):
    """Points of a body of stature 1, `unit` pixels tall and moved."""
    return {name: unit * z + shift for name, z in body.items()}


def _flat(points, spin=0.):
    """Points by name as complex numbers, the whole body turned by `spin`."""
    turn = np.exp(1j * spin)
    return {name: turn * complex(x, y) for name, (x, y, _) in points.items()}


def _extent(points):
    """Least and greatest (x, y) of complex points."""
    xy = np.array([(z.real, z.imag) for z in points])
    return xy.min(0), xy.max(0)


def _fit(rng, body, picture):
    """Choose the stature in pixels, and where a body of stature 1 goes."""
    unit = rng.uniform(115, 240)
    low, high = _extent(body.values())
    low, high = low - .05, high + .05  # the width of limbs
    unit = min(unit, *(picture / (high - low)))
    # Every tenth may leave the picture with anything but the head.
    slack = .3 * unit if rng.uniform() < .1 else 0
    room = picture - (high - low) * unit
    corner = (room + slack) * rng.triangular(0, .5, 1, 2) - slack * .25
    top, bottom = ((c - low) * unit
                   for c in _extent([body['head'], body['neck']]))
    corner = np.clip(corner, .08 * unit - top, picture - .08 * unit - bottom)
    return unit, complex(*(corner - low * unit))


def _paint_bystander(canvas, rng, x, ground, unit):
    """Another person, small or cut off by the picture's edge."""
    yaw = _yaw(rng)
    points, depths, _ = _skeleton(rng, yaw)
    body = _flat(points)
    lowest = max(z.imag for z in body.values()) + .03
    p = _placed(body, unit, complex(x, ground - unit * lowest))
    paint_figure(canvas, p, depths, unit, draw_look(rng), np.radians(yaw),
                 np.radians(yaw))


def draw_person(rng):
    """Draw one person in a scene.

    Args:
        rng (np.random.Generator): The only source of chance: the same state
            draws the same person.

    Returns:
        DrawnPerson: Picture of 256 to 320 by 256 to 320 pixels and its
        labels. The stature is about 110 to 230 pixels.
    """
    height, width = (int(side) for side in rng.integers(256, 321, 2))
    canvas, picture = Canvas(height, width), np.array([width, height])
    yaw = _yaw(rng)
    points, depths, legs = _skeleton(rng, yaw)
    look = draw_look(rng)
    if legs in ('sit', 'squat', 'kick'):
        look['skirt'] = False
    # Mostly upright, sometimes leaning, rarely lying or upside down.
    spin = np.radians(rng.normal(0, 6 if rng.uniform() < .95 else 25))
    body = _flat(points, spin)
    unit, shift = _fit(rng, body, picture)
    p = _placed(body, unit, shift)

    feet = max(p[name].imag for name in ('rank', 'lank', 'rtoe', 'ltoe',
                                         'pelv')) + .03 * unit
    ground = feet + (unit * rng.uniform(.05, .2) if legs == 'jump' else 0)
    horizon = ground - unit * rng.uniform(.06, .4)
    palette = paint_scene(canvas, rng, horizon, unit)
    if rng.uniform() < .15:
        aside = rng.uniform(.7, 1.1) * unit * rng.choice((-1, 1))
        _paint_bystander(canvas, rng, p['pelv'].real + aside,
                         ground - unit * rng.uniform(0, .05),
                         unit * rng.uniform(.5, .95))
    left, right = sorted((p['lank'].real, p['rank'].real))
    canvas.shadow(complex((left + right) / 2, ground - .01 * unit),
                  (right - left) / 2 + .2 * unit, .055 * unit, .45)
    if legs == 'sit' and abs(spin) < .4:
        paint_stool(canvas, p['pelv'].real, p['pelv'].imag + .05 * unit,
                    ground, unit, palette[0])
    head_yaw = np.radians(yaw + rng.uniform(-30, 30))
    paint_figure(canvas, p, depths, unit, look, np.radians(yaw), head_yaw)
    if rng.uniform() < .1:
        paint_obstacle(canvas, rng, p['pelv'].real, ground, unit, palette)

    image = _photo(canvas, rng)
    joints = np.array([[p[name].real, p[name].imag] for name in JOINTS],
                      np.float32)
    visible = ((joints >= 0) & (joints <= picture - 1)).all(1)
    center, scale = _person_box(rng, p, unit)
    return DrawnPerson(image, joints, visible, _head_box(p, unit), center,
                       scale, _facing(yaw))


def _photo(canvas, rng):
    """The picture at its own size, with uneven light, blur and noise."""
    shape = canvas.height, canvas.width
    image = cv2.resize(
        canvas.pixels, shape[::-1], interpolation=cv2.INTER_AREA)
    if rng.uniform() < .25:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(.4, .9))
    level, *tilt = np.float32(
        [rng.uniform(.88, 1.08), *rng.uniform(-.1, .1, 2)])
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in shape)
    light = level + tilt[0] * x + tilt[1] * y[:, None]
    noise = rng.standard_normal(shape, np.float32)
    noise *= np.float32(rng.uniform(.5, 3.5))
    image = cv2.multiply(image, cv2.merge([light] * 3), dtype=cv2.CV_32F)
    return cv2.add(image, cv2.merge([noise] * 3), dtype=cv2.CV_8U)


def _head_box(p, unit):
    """Corners of the upright box around the ellipse of the head."""
    at, right, down = head_ellipse(p, unit)
    half = np.hypot([right.real, right.imag], [down.real, down.imag])
    middle = np.array([at.real, at.imag])
    return np.array([middle - half, middle + half], np.float32)


def _person_box(rng, p, unit):
    """Centre and scale as an annotator would give them, a little uneven."""
    low, high = _extent(p.values())
    scale = max(*(high - low), .75 * unit) * rng.uniform(1.04, 1.14) / 200
    center = (low + high) / 2 + rng.uniform(-.04, .04, 2) * unit
    center[1] -= 15 * scale
    return center.astype(np.float32), float(scale)


def _facing(yaw):
    if abs(yaw) <= 40:
        return 'front'
    return 'back' if abs(yaw - 180) <= 40 else 'turned'


# ------------------------------------------------------------------- files


def _files_drawn(root, record):
    """Whether the very drawing is there; refuses a folder of other origin."""
    if not root.exists() or not any(root.iterdir()):
        return False
    path = root / RECORD
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or found.get('generator') != GENERATOR:
        raise FileExistsError(
            f'{root} is not empty and holds no people drawn by this project; '
            'choose an empty or a new folder')
    return found == record


def _write_record(root, record):
    """Replace the record at once, so that it is never half written."""
    part = root / (RECORD + '.part')
    part.write_text(json.dumps(record, indent=2) + '\n')
    os.replace(part, root / RECORD)


def write_drawn_mpii(root, num_train=2000, num_val=200, seed=0, progress=True):
    """Write drawn people in MPII's layout.

    Writes ``images/*.jpg``, ``annotations/mpii_train.json``,
    ``annotations/mpii_val.json`` and ``annotations/mpii_gt_val.mat`` for
    MMPose's ``MpiiDataset``. Pixels in these files count from 1, as MPII's
    do. Person number i of a split depends on the seed, the split and i only.
    A drawing of the same seed, numbers and version that is already there is
    left as it is, and another drawing by this function is replaced.

    Args:
        root (str | Path): The folder to write to, new, empty or written by
            this function.
        num_train (int): Number of people to train on, from 1 to 999999.
        num_val (int): Number of people to validate on, from 1 to 999999.
        seed (int): The seed, 0 or more.
        progress (bool): Whether to show a progress bar.

    Returns:
        bool: Whether anything was written; False if it was there already.

    Raises:
        FileExistsError: If the folder holds anything else.
        ValueError: If a number or the seed is out of range.
    """
    for name, number in (('num_train', num_train), ('num_val', num_val)):
        if not 1 <= number < FIRST_VAL:
            raise ValueError(f'{name} must be from 1 to {FIRST_VAL - 1}, '
                             f'but is {number}')
    if seed < 0:
        raise ValueError(f'seed must be 0 or more, but is {seed}')
    root = Path(root)
    record = dict(generator=GENERATOR, version=VERSION, seed=seed,
                  num_train=num_train, num_val=num_val, complete=True)
    if _files_drawn(root, record):
        return False

    images, annotations = root / 'images', root / 'annotations'
    for folder in (images, annotations):
        folder.mkdir(parents=True, exist_ok=True)
    # Marks the folder as ours, should this be interrupted.
    _write_record(root, dict(record, complete=False))
    for old in images.glob('[0-9]' * 9 + '.jpg'):
        old.unlink()

    jobs = [(split, index) for split, number in enumerate((num_train, num_val))
            for index in range(number)]
    found = ([], [])
    if progress:
        jobs = track(jobs, description='Drawing people')
    for split, index in jobs:
        person = draw_person(np.random.default_rng([seed, split, index]))
        name = f'{split * FIRST_VAL + index + 1:09d}.jpg'
        if not cv2.imwrite(str(images / name), person.image,
                           [cv2.IMWRITE_JPEG_QUALITY, 92]):
            raise OSError(f'could not write {images / name}')
        found[split].append((name, person))
    for split, name in enumerate(('mpii_train.json', 'mpii_val.json')):
        (annotations / name).write_text(
            json.dumps([_annotation(*item) for item in found[split]]))
    savemat(annotations / 'mpii_gt_val.mat',
            _ground_truth([person for _, person in found[1]]))
    _write_record(root, record)
    return True


def _annotation(name, person):
    joints = np.where(person.visible[:, None], person.joints + 1, -1)
    return dict(joints_vis=person.visible.astype(int).tolist(),
                joints=joints.astype(float).round(3).tolist(), image=name,
                scale=round(person.scale, 6),
                center=(person.center + 1).astype(float).round(3).tolist())


def _ground_truth(people):
    """The fields of mpii_gt_val.mat that scripts for PCKh read."""
    visible = np.stack([person.visible for person in people], -1)
    joints = np.stack([person.joints + 1. for person in people], -1)
    return dict(
        jnt_missing=(~visible).astype(np.uint8),
        pos_gt_src=np.where(visible[:, None], joints, 0).astype(np.float64),
        headboxes_src=np.stack([person.head_box + 1. for person in people],
                               -1).astype(np.float64),
        dataset_joints=np.array([JOINTS], object))
