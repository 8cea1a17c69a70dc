"""Write what Torch7 and nngraph would: the format of Torch7's binary files and
the graph of pose-hg-train's network."""
import itertools
import struct

import numpy as np
import torch.nn.functional as F
from reference_networks import Weights, up


class Module(dict):
    """A Torch class and its fields."""

    def __init__(self, kind, **fields):
        super().__init__(fields)
        self.kind = kind

    __hash__ = object.__hash__
    __eq__ = object.__eq__


class Table(dict):
    """A Lua table, which may be a key of another."""
    __hash__ = object.__hash__
    __eq__ = object.__eq__


def table(*items):
    return Table(enumerate(items, 1))


def write(path, value):
    """Write ``value`` in Torch7's binary format."""
    indices, counter = {}, itertools.count(1)
    keep = []  # an id is only unique while its object lives

    def put(kind, fmt='', *numbers):
        file.write(struct.pack('<i' + fmt, kind, *numbers))

    def string(text):
        file.write(struct.pack('<i', len(text)) + text.encode())

    def is_new(kind, value):
        known = id(value) in indices
        index = indices.setdefault(id(value), next(counter))
        keep.append(value)
        put(kind, 'i', index)
        return not known

    def dump(value):
        if value is None:
            put(0)
        elif isinstance(value, bool):
            put(5, 'i', value)
        elif isinstance(value, (int, float)):
            put(1, 'd', value)
        elif isinstance(value, str):
            put(2)
            string(value)
        elif isinstance(value, np.ndarray):
            if is_new(4, value):
                array = np.ascontiguousarray(value, np.float32)
                string('V 1')
                string('torch.CudaTensor')
                file.write(struct.pack(
                    f'<i{2 * array.ndim + 1}q', array.ndim, *array.shape,
                    *(step // 4 for step in array.strides), 1))
                put(4, 'i', next(counter))
                string('V 1')
                string('torch.CudaStorage')
                file.write(struct.pack('<q', array.size) + array.tobytes())
        elif isinstance(value, Module):
            if is_new(4, value):
                string('V 1')
                string(value.kind)
                dump_table(Table(value))
        elif is_new(3, value):
            dump_entries(value)

    def dump_table(value):
        if is_new(3, value):
            dump_entries(value)

    def dump_entries(value):
        file.write(struct.pack('<i', len(value)))
        for key, entry in value.items():
            dump(key)
            dump(entry)

    with open(path, 'wb') as file:
        dump(value)


class Graph:
    """A network that is run on a picture and recorded as nngraph does."""

    def __init__(self, weights, old=False):
        self.weights = weights
        self.old = old  # matrices and running_std, as files of 2015 have
        self.counter = itertools.count()

    def node(self, module, value, *inputs):
        data = Table(module=module, annotations=Table())
        data['mapindex'] = table(*(i['data'] for i in inputs))
        for number, i in enumerate(inputs, 1):
            data['mapindex'][i['data']] = number
        return dict(data=data, value=value)


    def conv(self, x, out, size=1, stride=1):
        """-> module, value"""
        name = f'conv{next(self.counter)}'
        value = self.weights.conv(x, name, out, size, stride=stride)
        weight = self.weights.state[f'{name}.weight'].numpy()
        return Module(
            'cudnn.SpatialConvolution', nInputPlane=x.shape[1],
            nOutputPlane=out, kW=size, kH=size,
            weight=weight.reshape(out, -1) if self.old else weight,
            bias=self.weights.state[f'{name}.bias'].numpy(),
            gradWeight=weight, output=np.empty(0)), value

    def norm(self, x):
        name = f'norm{next(self.counter)}'
        value = self.weights.norm_relu(x, name)
        fields = {key: self.weights.state[f'{name}.{key}'].numpy()
                  for key in ('weight', 'bias', 'running_mean', 'running_var')}
        if self.old:
            variance = fields.pop('running_var')
            fields['running_std'] = (variance + 1e-5)**-0.5
        return Module('nn.SpatialBatchNormalization', eps=1e-5,
                      **fields), value

    def residual(self, node, out):
        x = y = node['value']
        layers = []
        for width, size in (out // 2, 1), (out // 2, 3), (out, 1):
            norm, y = self.norm(y)
            conv, y = self.conv(y, width, size)
            layers += [norm, Module('cudnn.ReLU'), conv]
        skip = Module('nn.Identity')
        if x.shape[1] != out:
            conv, x = self.conv(x, out)
            skip = Module('nn.Sequential', modules=table(conv))
        block = Module('nn.Sequential', modules=table(*layers))
        branches = Module('nn.ConcatTable', modules=table(block, skip))
        return self.node(
            Module('nn.Sequential',
                   modules=table(branches, Module('nn.CAddTable'))),
            x + y, node)

    def residuals(self, node, out, num_blocks):
        for _ in range(num_blocks):
            node = self.residual(node, out)
        return node

    def pool(self, node):
        return self.node(Module('cudnn.SpatialMaxPooling'),
                         F.max_pool2d(node['value'], 2), node)

    def add(self, *nodes):
        return self.node(Module('nn.CAddTable'),
                         sum(n['value'] for n in nodes), *nodes)

    def hourglass(self, node, level, width, num_blocks):
        high = self.residuals(node, width, num_blocks)
        low = self.residuals(self.pool(node), width, num_blocks)
        low = self.hourglass(low, level - 1, width, num_blocks) \
            if level > 1 else self.residuals(low, width, num_blocks)
        low = self.residuals(low, width, num_blocks)
        low = self.node(Module('nn.SpatialUpSamplingNearest'),
                        up(low['value']), low)
        return self.add(high, low)

    def conv_node(self, node, out, **kwargs):
        return self.node(*self.conv(node['value'], out, **kwargs), node)

    def linear(self, node, out, **kwargs):
        node = self.conv_node(node, out, **kwargs)
        norm, value = self.norm(node['value'])
        node = self.node(norm, value, node)
        return self.node(Module('cudnn.ReLU'), value, node)


def umich(graph, x, num_stacks, num_blocks=1, keypoints=16, width=256,
          stem=(64, 128, 128)):
    """-> the module to write, and the heatmaps of every stack."""
    image = graph.node(Module('nn.Identity'), x)
    node = graph.linear(image, stem[0], size=7, stride=2)
    node = graph.pool(graph.residual(node, stem[1]))
    node = graph.residual(graph.residual(node, stem[2]), width)
    outputs = []
    for s in range(num_stacks):
        y = graph.hourglass(node, 4, width, num_blocks)
        y = graph.linear(graph.residuals(y, width, num_blocks), width)
        outputs.append(graph.conv_node(y, keypoints))
        if s < num_stacks - 1:
            node = graph.add(node, graph.conv_node(y, width),
                             graph.conv_node(outputs[-1], width))
    last = graph.node(None, None, *outputs)
    outnode = Module('nngraph.Node', data=last['data'], children=Table())
    return Module('nn.gModule', outnode=outnode, verbose=False,
                  train=False), [o['value'] for o in outputs]


def umich_file(path, x, num_stacks, num_blocks=1, old=False, **kwargs):
    """Write a network with random weights; return its heatmaps of ``x``."""
    module, heatmaps = umich(Graph(Weights(), old), x, num_stacks, num_blocks,
                             **kwargs)
    write(path, module)
    return heatmaps
