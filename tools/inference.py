"""Draw the poses in a picture, a folder of pictures or a video.

    python tools/inference.py photo.jpg configs/shn_mpii.py weights.pth
"""
import argparse
import sys

import mmpose_shn  # noqa: F401  makes MMPose importable
from mmengine.config import Config
from mmpose.apis import MMPoseInferencer

from mmpose_shn.checks import check_checkpoint, check_config
from mmpose_shn.inference import find_inputs
from mmpose_shn.upstream import config_path


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('inputs', help='picture, folder of pictures, or video')
    parser.add_argument('config', help='config file')
    parser.add_argument('weights', help='checkpoint file')
    parser.add_argument(
        '--out-dir',
        default='outputs',
        help='folder for visualizations/ and predictions/ (default: outputs)')
    parser.add_argument('--device', help='for example cpu or cuda:0')
    parser.add_argument(
        '--draw-heatmap', action='store_true', help='draw the heatmaps too')
    parser.add_argument(
        '--stage',
        type=int,
        help="index of the stack to decode, from 0 (default: the config's, "
        'which is the last)')
    parser.add_argument(
        '--kpt-thr',
        type=float,
        default=0.3,
        help='draw keypoints above this score (default: 0.3)')
    parser.add_argument(
        '--det-model',
        default='whole_image',
        help='config or name of an MMDetection model that finds the people; '
        'by default a picture is taken to show one person')
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        inputs, unreadable = find_inputs(args.inputs)
        cfg = Config.fromfile(config_path(args.config))
        if args.stage is not None:
            cfg.merge_from_dict({'model.test_cfg.stage': args.stage})
        check_config(cfg, splits=())
        check_checkpoint(args.weights)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'error: {error}')
    for path in unreadable:
        print(f'skipped, not a picture that can be read: {path}',
              file=sys.stderr)

    inferencer = MMPoseInferencer(
        pose2d=cfg,
        pose2d_weights=args.weights,
        device=args.device,
        det_model=args.det_model,
        show_progress=True)
    # a video is named by itself, pictures are a list
    for _ in inferencer(
            inputs if len(inputs) > 1 else inputs[0],
            out_dir=args.out_dir,
            draw_heatmap=args.draw_heatmap,
            kpt_thr=args.kpt_thr):
        pass
    print(f'{len(inputs)} of {len(inputs) + len(unreadable)} inputs done: see '
          f'{args.out_dir}/visualizations and {args.out_dir}/predictions')


if __name__ == '__main__':
    main()
