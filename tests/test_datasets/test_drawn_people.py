"""Tests of the drawn people and of their layout."""
import json

import cv2
import numpy as np
import pytest
from scipy.io import loadmat

import mmpose_shn  # noqa: F401  (makes MMPose importable)
from mmpose_shn.datasets.drawn_people import (JOINTS, RECORD, draw_person,
                                              write_drawn_mpii)
from mmpose_shn.datasets.painting import (EYE_WHITE, Canvas, draw_look,
                                          paint_head)

NUM_TRAIN, NUM_VAL = 4, 6
INDEX = {name: i for i, name in enumerate(JOINTS)}


@pytest.fixture(scope='module')
def people():
    return [draw_person(np.random.default_rng([3, i])) for i in range(150)]


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('drawn') / 'people'
    assert write_drawn_mpii(folder, NUM_TRAIN, NUM_VAL, progress=False)
    return folder


def files(folder):
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns,
                                        path.read_bytes())
        for path in sorted(folder.rglob('*')) if path.is_file()
    }


def load_annotations(folder, name):
    return json.loads((folder / 'annotations' / name).read_text())


def build_val(folder):
    from mmpose.datasets import MpiiDataset
    return MpiiDataset(
        ann_file='annotations/mpii_val.json',
        headbox_file=str(folder / 'annotations' / 'mpii_gt_val.mat'),
        data_root=str(folder),
        data_prefix=dict(img='images/'),
        test_mode=True)


def drawn_val():
    return [draw_person(np.random.default_rng([0, 1, i]))
            for i in range(NUM_VAL)]


def length(person, a, b):
    return np.linalg.norm(person.joints[INDEX[a]] - person.joints[INDEX[b]])


def test_same_seed_same_person():
    first, again, other = (
        draw_person(np.random.default_rng(seed)) for seed in (5, 5, 6))
    for a, b in zip(first, again):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.joints, other.joints)


def test_shapes_and_ranges(people):
    for person in people:
        height, width, channels = person.image.shape
        assert 256 <= height <= 320 and 256 <= width <= 320 and channels == 3
        assert person.image.dtype == np.uint8
        assert person.image.std() > 5
        assert person.joints.shape == (16, 2)
        assert person.joints.dtype == np.float32
        assert person.visible.shape == (16, )
        assert person.visible.dtype == bool
        assert person.head_box.shape == (2, 2)
        assert person.center.shape == (2, )
        inside = ((person.joints >= 0)
                  & (person.joints <= [width - 1, height - 1])).all(1)
        np.testing.assert_array_equal(person.visible, inside)
        assert person.visible[INDEX['head']] and person.visible[INDEX['neck']]


def test_variety(people):
    facing = [person.facing for person in people]
    assert set(facing) == {'front', 'back', 'turned'}
    assert facing.count('front') > len(people) / 2
    assert .15 < facing.count('back') / len(people) < .4
    assert 0 < sum(not person.visible.all() for person in people) < 30
    scales = sorted(person.scale for person in people)
    assert scales[-8] / scales[7] > 1.7


def test_boxes_hold_what_they_should(people):
    for person in people:
        (x1, y1), (x2, y2) = person.head_box
        for name in ('head', 'neck'):
            x, y = person.joints[INDEX[name]]
            assert x1 - .5 <= x <= x2 + .5 and y1 - .5 <= y <= y2 + .5
        diagonal = np.hypot(x2 - x1, y2 - y1)
        # MPII's own are about .2 of the person's height.
        assert .1 < diagonal / (200 * person.scale) < .35

        middle = person.center + [0, 15 * person.scale]
        distance = np.abs(person.joints[person.visible] - middle)
        assert distance.max() < 1.25 * 200 * person.scale / 2


def test_limbs_are_bounded(people):
    for person in people:
        stature = 200 * person.scale * 1.35
        for side in 'rl':
            thigh = length(person, side + 'hip', side + 'kne')
            shank = length(person, side + 'kne', side + 'ank')
            upper = length(person, side + 'sho', side + 'elb')
            lower = length(person, side + 'elb', side + 'wri')
            assert 0 < thigh < .27 * stature and 0 < shank < .27 * stature
            assert 0 < upper < .2 * stature and 0 < lower < .16 * stature
        assert .08 * stature < length(person, 'pelv', 'thor') < .31 * stature
        # Pelvis and thorax lie between the hips and between the shoulders.
        for middle, right, left in (('pelv', 'rhip', 'lhip'),
                                    ('thor', 'rsho', 'lsho')):
            between = (person.joints[INDEX[right]]
                       + person.joints[INDEX[left]]) / 2
            gap = np.linalg.norm(person.joints[INDEX[middle]] - between)
            assert gap < .02 * stature


def test_left_and_right_are_the_persons_own(people):
    seen = set()
    for person in people:
        up = person.joints[INDEX['thor']] - person.joints[INDEX['pelv']]
        if person.facing == 'turned' or up[1] > -2 * abs(up[0]):
            continue
        sign = dict(front=1, back=-1)[person.facing]
        for name in ('sho', 'hip'):
            across = (person.joints[INDEX['l' + name]]
                      - person.joints[INDEX['r' + name]])[0]
            assert sign * across > 0
        seen.add(person.facing)
    assert seen == {'front', 'back'}


@pytest.mark.parametrize('yaw, eyes', [(0, True), (.6, True), (2.5, False),
                                       (np.pi, False)])
def test_eyes_show_from_the_front_only(yaw, eyes):
    """Faces are what tells left from right where clothes do not."""
    canvas = Canvas(200, 200)
    points = dict(thor=100 + 150j, neck=100 + 130j, head=100 + 50j)
    look = dict(draw_look(np.random.default_rng(0)), style='short')
    paint_head(canvas, points, 400, look, yaw)
    white = (canvas.pixels == EYE_WHITE).all(-1)
    assert white.any() == eyes
    assert canvas.pixels.any()


def test_files_hold_what_was_drawn(root):
    train = load_annotations(root, 'mpii_train.json')
    val = load_annotations(root, 'mpii_val.json')
    assert (len(train), len(val)) == (NUM_TRAIN, NUM_VAL)
    names = [a['image'] for a in train + val]
    assert len(set(names)) == NUM_TRAIN + NUM_VAL
    assert {path.name for path in (root / 'images').iterdir()} == set(names)
    assert train[0]['image'] == '000000001.jpg'
    for annotation, person in zip(val, drawn_val()):
        seen = person.visible
        np.testing.assert_array_equal(annotation['joints_vis'], seen)
        joints = np.array(annotation['joints'])
        np.testing.assert_allclose(
            joints[seen], person.joints[seen] + 1, atol=1e-3)
        assert (joints[~seen] == -1).all()
        image = cv2.imread(str(root / 'images' / annotation['image']))
        assert image.shape == person.image.shape
        assert np.abs(image.astype(int) - person.image).mean() < 6

    truth = loadmat(root / 'annotations' / 'mpii_gt_val.mat')
    assert truth['headboxes_src'].shape == (2, 2, NUM_VAL)
    seen = np.array([a['joints_vis'] for a in val], bool).T
    np.testing.assert_array_equal(truth['jnt_missing'], ~seen)
    joints = np.transpose([a['joints'] for a in val], (1, 2, 0))
    assert truth['pos_gt_src'].shape == (16, 2, NUM_VAL)
    np.testing.assert_allclose(
        truth['pos_gt_src'], np.where(seen[:, None], joints, 0), atol=1e-3)
    assert [str(n[0]) for n in truth['dataset_joints'][0]] == list(JOINTS)


def test_mpii_dataset_reads_it(root):
    dataset = build_val(root)
    assert len(dataset) == NUM_VAL
    for i, person in enumerate(drawn_val()):
        info = dataset.get_data_info(i)
        seen = person.visible
        np.testing.assert_array_equal(info['keypoints_visible'][0], seen)
        # MMPose keeps MPII's count from 1 in the joints ...
        np.testing.assert_allclose(
            info['keypoints'][0][seen], person.joints[seen] + 1, atol=2e-3)
        # ... but not in the centre, which it moves down.
        np.testing.assert_allclose(
            info['bbox_center'][0],
            person.center + [0, 15 * person.scale],
            atol=2e-3)
        np.testing.assert_allclose(
            info['bbox_scale'][0], 200 * person.scale, atol=2e-3)
        diagonal = np.linalg.norm(person.head_box[1] - person.head_box[0])
        np.testing.assert_allclose(
            info['head_size'], .6 * diagonal, rtol=1e-3)
        assert cv2.imread(info['img_path']) is not None


@pytest.mark.parametrize('error, expected', [(0, 100), (2, 0)])
def test_metric_of_the_truth_is_full(root, error, expected):
    """`error` is in lengths of the head."""
    from mmpose.evaluation.metrics import MpiiPCKAccuracy
    dataset, metric = build_val(root), MpiiPCKAccuracy(thr=.5)
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        shift = error * float(info['head_size'].max())
        metric.process([{}], [
            dict(
                gt_instances=dict(
                    keypoints=info['keypoints'],
                    keypoints_visible=info['keypoints_visible'][..., None],
                    head_size=info['head_size'],
                    bboxes=info['bbox']),
                # Predictions count from 0.
                pred_instances=dict(keypoints=info['keypoints'] - 1 + shift))
        ])
    scores = metric.evaluate(len(dataset))
    scores = {k: v for k, v in scores.items() if not k.endswith('@0.1')}
    assert scores
    np.testing.assert_allclose(list(scores.values()), expected)


def test_first_people_do_not_depend_on_the_number(root, tmp_path):
    write_drawn_mpii(tmp_path, NUM_TRAIN - 2, NUM_VAL + 1, progress=False)
    for name, number in (('mpii_train.json', NUM_TRAIN - 2),
                         ('mpii_val.json', NUM_VAL)):
        here = load_annotations(tmp_path, name)[:number]
        assert here == load_annotations(root, name)[:number]
        for annotation in here:
            image = 'images/' + annotation['image']
            assert (tmp_path / image).read_bytes() == (
                root / image).read_bytes()


def test_splits_and_seeds_differ(root, tmp_path):
    train, val = (load_annotations(root, f'mpii_{split}.json')
                  for split in ('train', 'val'))
    assert train[0]['joints'] != val[0]['joints']
    write_drawn_mpii(tmp_path, 1, 1, seed=1, progress=False)
    other = load_annotations(tmp_path, 'mpii_train.json')
    assert other[0]['joints'] != train[0]['joints']


def test_second_run_does_nothing(root):
    before = files(root)
    assert write_drawn_mpii(root, NUM_TRAIN, NUM_VAL, progress=False) is False
    assert files(root) == before


def test_another_drawing_or_an_interrupted_one_is_redone(tmp_path):
    write_drawn_mpii(tmp_path, 3, 1, progress=False)
    assert write_drawn_mpii(tmp_path, 1, 1, progress=False)
    assert len(list((tmp_path / 'images').iterdir())) == 2

    record = json.loads((tmp_path / RECORD).read_text())
    (tmp_path / RECORD).write_text(json.dumps(dict(record, complete=False)))
    assert write_drawn_mpii(tmp_path, 1, 1, progress=False)
    assert json.loads((tmp_path / RECORD).read_text()) == record


def test_interruption_leaves_no_finished_record(tmp_path, monkeypatch):
    def fail(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr('mmpose_shn.datasets.drawn_people.savemat', fail)
        with pytest.raises(KeyboardInterrupt):
            write_drawn_mpii(tmp_path, 1, 1, progress=False)
    assert write_drawn_mpii(tmp_path, 1, 1, progress=False)
    assert not write_drawn_mpii(tmp_path, 1, 1, progress=False)


@pytest.mark.parametrize('content', ['{}', 'not json', '[]', None])
def test_foreign_folder_is_refused(tmp_path, content):
    (tmp_path / 'notes.txt').write_text('mine')
    if content is not None:
        (tmp_path / RECORD).write_text(content)
    before = files(tmp_path)
    with pytest.raises(FileExistsError, match='not empty'):
        write_drawn_mpii(tmp_path, 1, 1, progress=False)
    assert files(tmp_path) == before


@pytest.mark.parametrize('arguments', [
    dict(num_train=0),
    dict(num_val=0),
    dict(num_train=1_000_000),
    dict(seed=-1),
])
def test_numbers_out_of_range_are_refused(tmp_path, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        write_drawn_mpii(tmp_path / 'new', progress=False, **arguments)
    assert not (tmp_path / 'new').exists()
