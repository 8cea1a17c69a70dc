"""The whole way on people that the project draws itself: data, training,
test, and pictures of what every stack predicts.

    python tools/demo.py            # again: goes on where it stopped
"""
import argparse
import json
import os
import os.path as osp
import subprocess
import sys

SCRIPTS = osp.dirname(osp.abspath(__file__))
CONFIG = osp.join(osp.dirname(SCRIPTS), 'configs', 'shn_demo.py')


def run(script: str, *arguments: str) -> None:
    """Run one of the tools beside this one, showing the command."""
    print('\n$ python', osp.relpath(osp.join(SCRIPTS, script)), *arguments,
          flush=True)
    code = subprocess.call(
        [sys.executable, osp.join(SCRIPTS, script), *arguments])
    if code:
        sys.exit(code)


def data_options(root: str) -> list:
    """The config's data root is written out in four places."""
    return ['--cfg-options', *(
        f'{split}_dataloader.dataset.data_root={root}'
        for split in ('train', 'val', 'test')), *(
            f'{split}_dataloader.dataset.headbox_file={root}'
            'annotations/mpii_gt_val.mat' for split in ('val', 'test'))]


def draw(config: str, weights: str, data_root: str, out_dir: str,
         num_people: int) -> None:
    import mmpose_shn  # noqa: F401  makes MMPose importable

    import mmcv
    import numpy as np
    from mmpose.apis import MMPoseInferencer

    from mmpose_shn.inference import stage_sheet
    with open(osp.join(data_root, 'annotations/mpii_val.json')) as file:
        people = json.load(file)[:num_people]
    inferencer = MMPoseInferencer(
        pose2d=config, pose2d_weights=weights, det_model='whole_image')
    for person in people:
        # The person's box, MPII's: the picture that MMPose takes for one
        # without a detector.
        center = np.array(person['center']) + (0, 15 * person['scale'])
        half = 110 * person['scale']
        crop = mmcv.imcrop(
            mmcv.imread(osp.join(data_root, 'images', person['image'])),
            np.array([*center - half, *center + half]))
        sheet = stage_sheet(
            inferencer,
            mmcv.imrescale(crop, (360, 360)),
            kpt_thr=0.2,
            radius=4,
            thickness=3)
        mmcv.imwrite(mmcv.rgb2bgr(sheet), osp.join(out_dir, person['image']))


def print_table(metrics: dict) -> None:
    from rich.console import Console
    from rich.table import Table
    table = Table(title='PCKh@0.5 on held-out drawn people')
    for column in metrics:
        table.add_column(column.replace(' PCK', '').replace('PCK', 'Mean'))
    table.add_row(*(f'{value:.1f}' for value in metrics.values()))
    Console(width=100).print(table)


def check_unchanged(work_dir: str, *files: str) -> None:
    """Refuse to go on with a training on other data or by another config."""
    contents = ''.join(open(file, encoding='utf-8').read() for file in files)
    marker = osp.join(work_dir, 'begun_with.txt')
    if not osp.isdir(work_dir):
        os.makedirs(work_dir)
        with open(marker, 'w', encoding='utf-8') as file:
            file.write(contents)
    elif not osp.isfile(marker) or \
            open(marker, encoding='utf-8').read() != contents:
        sys.exit(f'error: {work_dir} holds a training on other data or by '
                 'another config: move or delete it.')


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='of the drawn people and of the training (default: 0)')
    parser.add_argument('--num-train', type=int, default=2000)
    parser.add_argument('--num-val', type=int, default=200)
    parser.add_argument('--epochs', type=int, default=6)
    args = parser.parse_args()

    suffix = f'_{args.seed}' if args.seed else ''
    data_root = f'data/drawn_people{suffix}/'
    work_dir = f'work_dirs/shn_demo{suffix}'
    metrics_file = osp.join(work_dir, 'metrics.json')
    pictures = osp.join(work_dir, 'pictures')
    options = data_options(data_root)

    run('dataset_converters/draw_people.py', data_root, '--seed',
        str(args.seed), '--num-train', str(args.num_train), '--num-val',
        str(args.num_val))
    check_unchanged(work_dir, osp.join(data_root, 'drawn_people.json'), CONFIG)
    run('train.py', CONFIG, '--work-dir', work_dir, '--resume', *options,
        f'train_cfg.max_epochs={args.epochs}',
        f'param_scheduler.0.total_steps={args.epochs}',
        f'randomness.seed={args.seed}')
    with open(osp.join(work_dir, 'last_checkpoint')) as file:
        weights = file.read().strip()
    run('test.py', CONFIG, weights, '--work-dir', work_dir, '--out',
        metrics_file, *options)

    draw(CONFIG, weights, data_root, pictures, num_people=12)
    with open(metrics_file) as file:
        print_table({k: v for k, v in json.load(file).items()
                     if k != 'PCK@0.1'})
    print(f'What each stack predicts, drawn for '
          f'{len(os.listdir(pictures))} people: {pictures}/')


if __name__ == '__main__':
    main()
