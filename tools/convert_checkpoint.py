"""Convert published Stacked Hourglass weights to a checkpoint of MMPose, or a
network trained here to the keys of another code base.

    python tools/convert_checkpoint.py model_best.pth.tar OUT.pth
    python tools/convert_checkpoint.py epoch_220.pth OUT.pth --to princeton

What is converted needs no description: family, stacks, residuals, keypoints
and widths are read off the file. No conversion is needed to use it:
shn://model_best.pth.tar stands for it wherever MMPose takes a checkpoint.
"""
import argparse
import sys

import mmpose_shn  # noqa: F401  makes MMPose importable
from mmpose_shn.weights import convert_file


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', help='file, URL or published name')
    parser.add_argument('out', help='file that is written')
    parser.add_argument('--config', help='also write the matching config here')
    parser.add_argument(
        '--to',
        choices=['bearpaw', 'princeton'],
        help='write the bare state dict that this code base loads with '
        'model.load_state_dict (bearpaw: also for anibali\'s package)')
    parser.add_argument(
        '--trust',
        action='store_true',
        help='read a file that holds more than tensors and plain data, which '
        'runs whatever code is in it')
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        checkpoint = convert_file(args.source, args.out, args.config, args.to,
                                  args.trust)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f'{args.out}: {len(checkpoint["state_dict"])} tensors of the family '
          f'{checkpoint["meta"]["family"]}' +
          (f', with the keys of {args.to}' if args.to else ''))


if __name__ == '__main__':
    main()
