"""Draw people and write them in the layout of the MPII data set."""
import argparse

from mmpose_shn.datasets.drawn_people import write_drawn_mpii


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out_dir', help='new or empty folder to write to')
    parser.add_argument(
        '--num-train', type=int, default=2000, help='people to train on')
    parser.add_argument(
        '--num-val', type=int, default=200, help='people to validate on')
    parser.add_argument('--seed', type=int, default=0, help='seed, from 0')
    return parser, parser.parse_args()


def main():
    parser, args = parse_args()
    try:
        written = write_drawn_mpii(args.out_dir, args.num_train, args.num_val,
                                   args.seed)
    except (FileExistsError, NotADirectoryError, ValueError) as error:
        parser.error(str(error))
    people = f'{args.num_train} people to train on, {args.num_val} to validate'
    if written:
        print(f'\nDrew {people} (seed {args.seed}) in {args.out_dir}')
    else:
        print(f'{args.out_dir} holds them already: {people} '
              f'(seed {args.seed}); nothing to do')


if __name__ == '__main__':
    main()
