"""Published weights: where they are, how they are read, and what turns them
into ours. Importing this registers the scheme ``shn://`` with MMEngine."""
from .convert import from_mmpose, to_mmpose
from .files import fetch, read_checkpoint
from .loader import convert_file, load_from_shn
from .published import PUBLISHED, find_published

__all__ = [
    'PUBLISHED', 'convert_file', 'fetch', 'find_published', 'from_mmpose',
    'load_from_shn', 'read_checkpoint', 'to_mmpose'
]
