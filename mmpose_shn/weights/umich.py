"""The authors' Torch7 files (princeton-vl/pose-hg-train): read one, and follow
its graph from the heatmaps back to the image.

A Torch7 file has no names. It holds the graph that nngraph made of the network
(src/models/hg.lua), where every node knows the nodes that its input comes
from, in their order.
"""
import math
import sys
from typing import Dict, List, Optional

import numpy as np
import torch
from torch import Tensor

# How a Torch7 file begins: the type of its first object, an int32, which is 4
# for an object of a class and 3 for a table.
MAGIC = (b'\x04\0\0\0', b'\x03\0\0\0')

# The graph of 8 stacks is a chain of some 200 nodes, which the reader follows
# with several calls for each.
_RECURSION_LIMIT = 10_000


def read(path: str, source: Optional[str] = None):
    """Read a Torch7 file.

    Args:
        path (str): The file.
        source (str, optional): What messages call it. Defaults to None: its
            path.

    Returns:
        The object it holds, as ``torchfile`` presents it.

    Raises:
        ImportError: If the package torchfile is not installed.
        ValueError: If the file is truncated or not a Torch7 file.
    """
    source = source or path
    try:
        import torchfile
    except ImportError:
        raise ImportError(
            f'{source} is a Torch7 file, which the package torchfile reads: '
            'pip install "mmpose_shn[umich]", or pip install torchfile'
        ) from None
    handlers = dict(torchfile.type_handlers)
    torchfile.type_handlers.update({
        name: _read_tensor for name in handlers
        if name.endswith(b'Tensor') and b'Half' not in name
    })
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _RECURSION_LIMIT))
    try:
        # Lists are kept as tables: to make lists of them torchfile compares
        # tensors with `==`, which fails.
        return torchfile.load(path, use_list_heuristic=False)
    # It has no error of its own for a file that ends early or is none
    except Exception as error:
        raise ValueError(f'{source} cannot be read as a Torch7 file, it is '
                         f'truncated or damaged: {error!r}') from None
    finally:
        sys.setrecursionlimit(limit)
        torchfile.type_handlers.update(handlers)


def _read_tensor(reader, version) -> np.ndarray:
    """Read a tensor. Unlike torchfile's own function this one makes sure that
    the tensor lies inside the storage: the file is not to be trusted. A tensor
    that repeats its numbers, as no weight does, is taken to be empty, lest a
    small file needs much memory."""
    ndim = reader.read_int()
    shape = reader.read_long_array(ndim)
    strides = reader.read_long_array(ndim)
    offset = reader.read_long() - 1
    storage = reader.read_obj()
    if storage is None or 0 in shape or not shape:
        return np.empty(0, np.float32)
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides))
    if min(*shape, *strides, offset) < 0 or last >= len(storage):
        raise ValueError('a tensor reaches beyond the numbers in the file')
    if math.prod(shape) > len(storage):
        return np.empty(0, np.float32)
    return np.lib.stride_tricks.as_strided(
        storage[offset:], shape,
        [storage.itemsize * step for step in strides])


def is_network(checkpoint) -> bool:
    """Whether an object that :func:`read` returned is a graph."""
    return getattr(checkpoint, '_typename', None) == b'nn.gModule'


def to_ours(network) -> Dict[str, Tensor]:
    """Turn the graph of a network into our state dict.

    Args:
        network: What :func:`read` returned.

    Returns:
        dict[str, Tensor]: The weights under our names.

    Raises:
        ValueError: If the graph is not that of pose-hg-train.
    """
    state_dict, seen = {}, set()

    def put(name: str, module) -> None:
        if id(module) in seen:  # as on a way that never ends
            raise _another('it uses a layer twice')
        seen.add(id(module))
        state_dict.update({
            f'{name}.{key}': torch.from_numpy(np.asarray(value, np.float32))
            for key, value in _parameters(module).items()
        })

    def residuals_before(node: dict, name: str, count: int) -> dict:
        """Take ``count`` residuals that end in ``node``; return the node
        before them."""
        for b in reversed(range(count)):
            module = _expect(node, 'Sequential')
            _put_residual(put, f'{name}.{b}', module)
            node = _input(node)
        return node

    def hourglass_before(node: dict, name: str, num_blocks: int) -> dict:
        """Take the hourglass that ends in ``node``; return its input."""
        _expect(node, 'CAddTable')
        up, low = _inputs(node, 2)
        before_up = residuals_before(up, f'{name}.up1', num_blocks)
        _expect(low, 'SpatialUpSamplingNearest')
        low = residuals_before(_input(low), f'{name}.low3', num_blocks)
        if _kind(low) == 'CAddTable':
            low = hourglass_before(low, f'{name}.low2', num_blocks)
        else:
            low = residuals_before(low, f'{name}.low2', num_blocks)
        low = residuals_before(low, f'{name}.low1', num_blocks)
        _expect(low, 'SpatialMaxPooling')
        if _input(low) is not before_up:
            raise _another('an hourglass has two different inputs')
        return before_up

    def linear_before(node: dict, conv: str, norm: str) -> dict:
        _expect(node, 'ReLU')
        node = _input(node)
        put(norm, _expect(node, 'SpatialBatchNormalization'))
        node = _input(node)
        put(conv, _expect(node, 'SpatialConvolution'))
        return _input(node)

    predictions = _inputs(network._obj[b'outnode']._obj[b'data'])
    features = [_input(node) for node in predictions]
    after = None  # the input of the following stack
    for i in reversed(range(len(predictions))):
        name = f'stacks.{i}'
        put(f'{name}.predict', _expect(predictions[i], 'SpatialConvolution'))
        node = linear_before(features[i], f'{name}.features.1',
                             f'{name}.features.2')
        blocks, end = set(), node
        while _kind(end) == 'Sequential' and end not in blocks:
            blocks.add(end)
            end = _input(end)
        if not blocks:
            raise _another(f'{_kind(end)} in the place of a residual')
        node = residuals_before(node, f'{name}.features.0', len(blocks))
        x = hourglass_before(node, f'{name}.hourglass', len(blocks))
        if after is not None and after is not x:
            raise _another(f'stack {i + 2} does not build on the input of the '
                           'one before')
        if i:
            _expect(x, 'CAddTable')
            after, merged, fed_back = _inputs(x, 3)
            if _input(merged) is not features[i - 1] or \
                    _input(fed_back) is not predictions[i - 1]:
                raise _another(f'stack {i} is joined to the next in another '
                               'way')
            put(f'stacks.{i - 1}.merge_features',
                _expect(merged, 'SpatialConvolution'))
            put(f'stacks.{i - 1}.merge_heatmaps',
                _expect(fed_back, 'SpatialConvolution'))

    for index, pool in (6, False), (5, True), (3, False):
        _put_residual(put, f'stem.{index}', _expect(x, 'Sequential'))
        x = _input(x)
        if pool:
            _expect(x, 'SpatialMaxPooling')
            x = _input(x)
    linear_before(x, 'stem.0', 'stem.1')
    return state_dict


def _another(difference: str) -> ValueError:
    return ValueError('the Torch7 network is not that of pose-hg-train: '
                      f'{difference}')


def _inputs(node: dict, count: int = None) -> List[dict]:
    """The nodes that the input of a node comes from, in their order."""
    # a table with two kinds of keys: 1, 2, ... and the nodes themselves
    table = node[b'mapindex']
    result = []
    while len(result) + 1 in table:
        result.append(table[len(result) + 1])
    if not result or count not in (None, len(result)):
        raise _another(f'{_kind(node)} with {len(result)} inputs instead of '
                       f'{count or "some"}')
    return result


def _input(node: dict) -> dict:
    return _inputs(node, 1)[0]


def _class(module) -> str:
    """The class of a module without its package, nn or cudnn."""
    name = getattr(module, '_typename', b'nothing').decode('ascii', 'replace')
    return name.rpartition('.')[2]


def _kind(node: dict) -> str:
    return _class(node.get(b'module'))


def _expect(node: dict, kind: str):
    if _kind(node) != kind:
        raise _another(f'{_kind(node)} in the place of {kind}')
    return node[b'module']


def _modules(module) -> list:
    table = module._obj[b'modules']
    return [table[i + 1] for i in range(len(table))]


def _put_residual(put, name: str, module) -> None:
    """Sequential(ConcatTable(Sequential(norm, relu, conv, ...), skip), sum),
    where the skip is Identity or Sequential(conv) (layers/Residual.lua)."""
    branches = _modules(module)[0]
    if _class(branches) != 'ConcatTable':
        raise _another(f'a residual begins with {_class(branches)}')
    block, skip = _modules(branches)
    layers = _modules(block)
    kinds = [_class(layer) for layer in layers]
    if kinds != ['SpatialBatchNormalization', 'ReLU', 'SpatialConvolution'
                 ] * 3:
        raise _another(f'a residual is {", ".join(kinds)}')
    for n in range(3):
        put(f'{name}.norm{n + 1}', layers[3 * n])
        put(f'{name}.conv{n + 1}', layers[3 * n + 2])
    if _class(skip) != 'Identity':
        put(f'{name}.skip', _modules(skip)[0])


def _parameters(module) -> Dict[str, np.ndarray]:
    values = module._obj
    result = dict(weight=values[b'weight'], bias=values[b'bias'])
    if b'kW' in values:
        # SpatialConvolutionMM, which nn.SpatialConvolution once was, keeps a
        # matrix
        shape = [values[key] for key in (b'nOutputPlane', b'nInputPlane',
                                         b'kH', b'kW')]
        result['weight'] = result['weight'].reshape(shape)
    else:
        eps = values.get(b'eps', 1e-5)
        if b'running_std' in values:  # in old files, and it is 1 / std
            variance = values[b'running_std']**-2. - eps
        else:
            variance = values[b'running_var']
        result['running_mean'] = values[b'running_mean']
        result['running_var'] = variance + (eps - 1e-5)  # ours is 1e-5
    return result
