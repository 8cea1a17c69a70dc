"""Find, download and read checkpoints, none of which is trusted."""
import hashlib
import os
import os.path as osp
import re
import tempfile
import urllib.error
import urllib.request
import zipfile
from http.client import HTTPException
from pickle import UnpicklingError
from typing import Optional
from urllib.parse import urlparse

import numpy as np
import torch
from filelock import FileLock
from mmengine.logging import print_log

from . import umich
from .published import PUBLISHED, find_published

# torch.hub's convention: the file name ends in the beginning of its SHA-256.
# One without a letter is more likely a date.
_HASH_IN_NAME = re.compile(r'-(?=[0-9]*[a-f])([0-9a-f]{8,64})\.')
_TIMEOUT = 30  # seconds without an answer
_CHUNK = 2**20
_LARGEST_TORCH7 = 2 * 2**30  # bytes; the authors' network has some 100 MB
_BY_HAND = ('A file that you got in another way is named by its path, '
            'shn://PATH.')
_AGAIN = 'Run it again: it goes on where it stopped. ' + _BY_HAND


class _NotTrusted(ValueError):
    """A file that is only read with ``trust``."""


def locate(source: str) -> str:
    """The file on this machine that a name, a URL or a path stands for.

    Args:
        source (str): A name of :data:`PUBLISHED`, a URL or a path.

    Returns:
        str: The path. A URL is downloaded if it is not in the cache.

    Raises:
        FileNotFoundError: If there is no such name or file.
    """
    name = find_published(source)
    if name:
        return fetch(PUBLISHED[name].url, PUBLISHED[name].sha256)
    if re.match(r'https?://', source):
        in_name = _HASH_IN_NAME.search(osp.basename(urlparse(source).path))
        return fetch(source, in_name and in_name[1])
    path = osp.expanduser(source)
    if not osp.isfile(path):
        raise FileNotFoundError(
            f'There is no file {path}, and no published weights of that name. '
            f'Their names are {", ".join(_names())}.')
    return path


def _names() -> list:
    return [name for key, entry in PUBLISHED.items()
            for name in (key, *entry.aliases)]


def fetch(url: str, sha256: Optional[str] = None) -> str:
    """Download a file, unless it is in the cache.

    The cache is the folder ``mmpose_shn`` beside PyTorch's own downloads
    (``$TORCH_HOME``). A download that was cut off stays beside it as
    ``.part``, and the next call goes on where it stopped if the file is still
    the same. Only a complete file with the right hash, or where none is known
    one that can be read as a checkpoint, gets the final name. Several
    processes may call this at once: one downloads, the others wait for it.

    Args:
        url (str): ``http://`` or ``https://``.
        sha256 (str, optional): How the file's SHA-256 has to begin; one in
            the cache with another is downloaded again. Defaults to None: not
            checked.

    Returns:
        str: Path of the file.

    Raises:
        ConnectionError: If the server does not answer, has no such file, or
            the transfer is cut off.
        ValueError: If the hash is another, or what came is no checkpoint.
    """
    folder = osp.join(torch.hub.get_dir(), 'mmpose_shn')
    # princeton's files are all called checkpoint.pt
    path = osp.join(folder, hashlib.sha256(url.encode()).hexdigest()[:8] +
                    '-' + osp.basename(urlparse(url).path))
    if _is_good(path, sha256):
        return path
    os.makedirs(folder, exist_ok=True)
    with FileLock(f'{path}.lock'):
        if not _is_good(path, sha256):  # else another process was faster
            part = f'{path}.part'
            print_log(f'Downloading {url} to {path}', 'current')
            _download(url, part, has_hash=bool(sha256))
            _check_download(url, part, sha256)
            os.replace(part, path)
    return path


def _is_good(path: str, sha256: Optional[str]) -> bool:
    return osp.isfile(path) and (not sha256
                                 or _sha256(path).startswith(sha256))


def _check_download(url: str, part: str, sha256: Optional[str]) -> None:
    """Throw away what is not the file that was wanted."""
    if sha256:
        found = _sha256(part)
        if found.startswith(sha256):
            return
        os.remove(part)
        raise ValueError(
            f'What {url} sent has the SHA-256 {found}, but it should '
            f'begin with {sha256}. It was thrown away.')
    # A server that has moved answers with a page, which must not stay in the
    # cache.
    try:
        read_checkpoint(part)
    except (ImportError, _NotTrusted):
        pass  # a checkpoint that whoever reads it may be able to read
    except ValueError:
        os.remove(part)
        raise ValueError(
            f'What {url} sent cannot be read as a checkpoint. It was thrown '
            f'away. {_BY_HAND}') from None


def _download(url: str, part: str, has_hash: bool) -> None:
    """Download to ``part``, going on after what is already there, unless the
    file on the server has changed or nothing would tell."""
    validator = _stored_validator(part)
    start = osp.getsize(part) if osp.isfile(part) else 0
    if not (has_hash or validator):
        start = 0
    headers = {'User-Agent': 'mmpose_shn'}
    if start:
        headers['Range'] = f'bytes={start}-'
        if validator:
            headers['If-Range'] = validator
    try:
        with urllib.request.urlopen(
                urllib.request.Request(url, headers=headers),
                timeout=_TIMEOUT) as response:
            # else it is the whole file, whatever was asked for
            if not response.headers.get('Content-Range', '').startswith(
                    f'bytes {start}-'):
                start = 0
            now = response.headers.get('ETag') or response.headers.get(
                'Last-Modified')
            if start and validator and now not in (None, validator):
                os.remove(part)  # the server does not know If-Range
                return _download(url, part, has_hash)
            length = response.headers.get('Content-Length')
            with open(part, 'ab' if start else 'wb') as file:
                if not start:
                    _store_validator(part, now)
                while True:
                    chunk = response.read(_CHUNK)
                    if not chunk:
                        break
                    file.write(chunk)
    except urllib.error.HTTPError as error:
        if error.code == 416 and start:  # there is nothing after `start`
            os.remove(part)
            return _download(url, part, has_hash)
        raise ConnectionError(
            f'{url} cannot be downloaded: the server answers {error.code} '
            f'{error.reason}. {_BY_HAND}') from None
    # OSError: URLError, timeouts and resets; HTTPException: IncompleteRead
    except (OSError, HTTPException) as error:
        raise ConnectionError(
            f'{url} cannot be downloaded: {error}. {_AGAIN}') from None
    size = osp.getsize(part)
    if length is not None and size < start + int(length):
        raise ConnectionError(
            f'The download of {url} was cut off after {size} of '
            f'{start + int(length)} bytes. {_AGAIN}')
    _store_validator(part, None)


def _stored_validator(part: str) -> Optional[str]:
    """What the server called the version that ``part`` is the beginning of."""
    try:
        with open(f'{part}.validator') as file:
            return file.read()
    except FileNotFoundError:
        return None


def _store_validator(part: str, validator: Optional[str]) -> None:
    if validator:
        with open(f'{part}.validator', 'w') as file:
            file.write(validator)
    elif osp.isfile(f'{part}.validator'):
        os.remove(f'{part}.validator')


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for chunk in iter(lambda: file.read(_CHUNK), b''):
            digest.update(chunk)
    return digest.hexdigest()


def read_checkpoint(path: str, trust: bool = False):
    """Read a checkpoint without running any code that is in it.

    Args:
        path (str): The file, of PyTorch or Torch7, or a zip archive with a
            Torch7 file.
        trust (bool): Read files that hold more than tensors and plain data
            with Python's pickle, which runs what they tell it to. Defaults
            to False.

    Returns:
        What the file holds, tensors on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, truncated, or not to be read
            without ``trust``.
    """
    with open(path, 'rb') as file:
        magic = file.read(4)
    if magic in umich.MAGIC:
        return umich.read(path)
    with tempfile.TemporaryDirectory() as folder:
        extracted = _extract_torch7(path, folder)
        if extracted:
            return umich.read(extracted, path)
    try:
        if trust:
            return torch.load(path, map_location='cpu', weights_only=False)
        with torch.serialization.safe_globals(_harmless()):
            return torch.load(path, map_location='cpu', weights_only=True)
    except UnpicklingError as error:
        refused = re.search(r'(?:GLOBAL|Unsupported class) (\S+)', str(error))
        if refused:
            raise _NotTrusted(
                f'{path} holds more than tensors and plain data '
                f'({refused[1]}) and is not read, because reading that runs '
                'code from the file. If you trust its author, convert it '
                f'once: python tools/convert_checkpoint.py {path} OUT.pth '
                '--trust') from None
        raise ValueError(_unreadable(path, error)) from None
    # The errors of truncated and of arbitrary files are of many kinds.
    except Exception as error:
        raise ValueError(_unreadable(path, error)) from None


def _extract_torch7(path: str, folder: str) -> Optional[str]:
    """Extract the Torch7 file of a zip archive; None if there is none.
    PyTorch's files are zip archives as well."""
    if not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.filename.endswith('.t7') and not \
                        info.filename.startswith('__MACOSX/'):
                    # zipfile never extracts more than it is said to be
                    if info.file_size > _LARGEST_TORCH7:
                        raise ValueError(f'{info.filename} in it would have '
                                         f'{info.file_size} bytes')
                    return archive.extract(info, folder)
    # zipfile's errors for damaged and encrypted archives are of many kinds
    except Exception as error:
        raise ValueError(_unreadable(path, error)) from None
    return None


def _unreadable(path: str, error: Exception) -> str:
    reason = (str(error) or repr(error)).splitlines()[0]
    return (f'{path} cannot be read as a checkpoint: it is truncated, or '
            f'something else ({reason[:120]}).')


class _Ignored:
    """Stands in for what a training checkpoint holds beside the weights."""

    def __init__(self, *args, **kwargs):
        pass

    def __setstate__(self, state):
        pass


def _harmless() -> list:
    """What may stand in a checkpoint beside tensors: NumPy's numbers and
    arrays (``best_acc``, ``dataset_meta``), and MMEngine's log, which is not
    built but ignored."""
    multiarray = np.core.multiarray if np.__version__ < '2' else \
        np._core.multiarray
    allowed = [
        np.ndarray, np.dtype,
        *{type(np.dtype(kind)) for kind in 'bBhHiIlLqQefd?SU'},
        (_Ignored, 'mmengine.logging.history_buffer.HistoryBuffer'),
        (_Ignored, 'builtins.getattr'), (_Ignored, '__builtin__.getattr')
    ]
    for package in 'numpy.core', 'numpy._core':
        for name in '_reconstruct', 'scalar':
            allowed.append((getattr(multiarray, name),
                            f'{package}.multiarray.{name}'))
    return allowed
