"""The weights that others have published, in one table."""
from dataclasses import dataclass
from typing import Dict, Optional, Tuple

# MPII's mean colour as bearpaw/pytorch-pose computed it (RGB); it is
# subtracted, and nothing is divided by but 255
_BEARPAW_MEAN = (0.4404, 0.4440, 0.4327)


@dataclass(frozen=True)
class Published:
    """One published file.

    Attributes:
        url (str): Where it is downloaded from.
        sha256 (str, optional): How the SHA-256 of the file begins, where its
            publisher says so (in the file's name).
        family (str): Which keys it has: ``'bearpaw'``, ``'princeton'`` or
            ``'umich'``.
        num_stacks (int): Stacks of the network.
        stem_channels (tuple[int]): Its ``stem_channels``.
        mean (tuple[float]): What is subtracted from RGB values in [0, 1]
            before they enter the network.
        pckh (float, optional): Published mean PCKh@0.5 on the MPII validation
            split with flip test, in percent; None where there is none for
            this file.
        source (str): Where file and result are published.
        licence (str): Licence of the repository that publishes the file. None
            of them says whether it is meant for the weights as well.
        config (str): The config with its pixels and decoding, as
            ``mmpose_shn::CONFIG``.
        aliases (tuple[str]): Further names.
    """
    url: str
    sha256: Optional[str]
    family: str
    num_stacks: int
    stem_channels: Tuple[int, int, int]
    mean: Tuple[float, float, float]
    pckh: Optional[float]
    source: str
    licence: str
    config: str
    aliases: Tuple[str, ...] = ()


def _anibali(num_stacks: int, sha256: str, pckh: Optional[float],
             **kwargs) -> Published:
    # bearpaw's own weights, published again without the training state
    repository = 'https://github.com/anibali/pytorch-stacked-hourglass'
    name = f'bearpaw_hg{num_stacks}'
    return Published(
        url=f'{repository}/releases/download/v0.0.0/{name}-{sha256}.pth',
        sha256=sha256,
        family='bearpaw',
        num_stacks=num_stacks,
        stem_channels=(64, 128, 256),
        mean=_BEARPAW_MEAN,
        pckh=pckh,
        licence='GPL-3.0',
        config=f'published/{name}_mpii.py',
        **kwargs)


def _princeton(num_stacks: int, pckh: float, **kwargs) -> Published:
    return Published(
        url='http://www-personal.umich.edu/~cnris/'
        f'original_{num_stacks}hg/checkpoint.pt',
        sha256=None,
        family='princeton',
        num_stacks=num_stacks,
        stem_channels=(64, 128, 128),
        mean=(0, 0, 0),
        pckh=pckh,
        source='https://github.com/princeton-vl/pytorch_stacked_hourglass',
        licence='BSD-3-Clause',
        config=f'published/princeton_hg{num_stacks}_mpii.py',
        **kwargs)


_BEARPAW = 'https://github.com/bearpaw/pytorch-pose'
_ANIBALI = 'https://github.com/anibali/pytorch-stacked-hourglass'

PUBLISHED: Dict[str, Published] = dict(
    bearpaw_hg1=_anibali(
        1, 'ce125879', None, source=_ANIBALI, aliases=('shn1_mpii', )),
    # measured by anibali on this file; bearpaw's own figure is 86.95
    bearpaw_hg2=_anibali(2, '15e342d9', 87.33, source=_ANIBALI),
    # bearpaw's figure for its best 8 stacks; anibali gives none for this file
    bearpaw_hg8=_anibali(8, '90e5d470', 88.78, source=_BEARPAW),
    princeton_hg2=_princeton(2, 88.3, aliases=('shn2_mpii', )),
    princeton_hg8=_princeton(8, 90.2, aliases=('shn8_mpii', )),
    # No figure is published for this very file; the paper's network has 88.1.
    # It was never opened here, and is taken to be pose-hg-train's graph of 8
    # stacks; the older one of pose-hg-demo is another and would be refused.
    umich_hg8=Published(
        url='http://www-personal.umich.edu/~alnewell/pose/'
        'umich-stacked-hourglass.zip',
        sha256=None,
        family='umich',
        num_stacks=8,
        stem_channels=(64, 128, 128),
        mean=(0, 0, 0),
        pckh=None,
        source='https://github.com/princeton-vl/pose-hg-train',
        licence='BSD-3-Clause',
        config='published/umich_hg8_mpii.py'),
)


def find_published(name: str) -> Optional[str]:
    """The key of :data:`PUBLISHED` that a name or an alias stands for, or
    None."""
    return next((key for key, entry in PUBLISHED.items()
                 if name.lower() in (key, *entry.aliases)), None)
