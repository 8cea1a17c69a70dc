"""Published weights: where they are, how they are read, and what turns them
into ours. Importing this registers the scheme ``shn://`` with MMEngine."""
from .convert import from_mmpose, to_mmpose
from .loader import fetch, load_from_shn, read_checkpoint
from .published import PUBLISHED, find_published

__all__ = [
    'PUBLISHED', 'fetch', 'find_published', 'from_mmpose', 'load_from_shn',
    'read_checkpoint', 'to_mmpose'
]
