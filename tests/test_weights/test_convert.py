import numpy as np
import pytest
import torch
from reference_networks import Weights, bearpaw, princeton

from mmpose_shn.backbones import StackedHourglass
from mmpose_shn.backbones.stacked_hourglass import architecture_of
from mmpose_shn.weights import from_mmpose, read_checkpoint, to_mmpose

NARROW = dict(width=64, stem=(32, 32, 64))


def picture(size=128):
    return torch.rand(1, 3, size, size,
                      generator=torch.Generator().manual_seed(1))


def drawn(network, *args, norm='BN', **kwargs):
    """-> state dict, heatmaps of every stack"""
    weights = Weights(norm)
    heatmaps = network(weights, picture(), *args, **kwargs)
    return weights.state, heatmaps


def ours(checkpoint):
    weights = {key[len('backbone.'):]: tensor
               for key, tensor in checkpoint['state_dict'].items()}
    network = StackedHourglass(**architecture_of(weights)).eval()
    network.load_state_dict(checkpoint['state_dict'])
    return network


def agree(checkpoint, heatmaps, rtol=1e-5):
    with torch.no_grad():
        predicted = ours(checkpoint)(picture())
    assert len(predicted) == len(heatmaps)
    for a, b in zip(predicted, heatmaps):
        assert b.abs().max() > 0.1
        assert (a - b).abs().max() <= rtol * b.abs().max()


@pytest.mark.parametrize('num_stacks, num_blocks, norm', [
    (1, 1, 'BN'), (2, 1, 'BN'), (8, 1, 'BN'), (1, 4, 'BN'), (2, 4, 'BN'),
    (1, 1, 'GN'), (2, 4, 'GN'), (8, 1, 'GN')])
def test_bearpaw(num_stacks, num_blocks, norm):
    kwargs = {} if num_blocks == 1 and num_stacks < 8 else NARROW
    if norm == 'GN' and kwargs:  # 32 groups divide half of every width
        kwargs = dict(width=64, stem=(64, 64, 64))
    state, heatmaps = drawn(bearpaw, num_stacks, num_blocks, norm=norm,
                            **kwargs)
    checkpoint = to_mmpose(state, 'x')
    agree(checkpoint, heatmaps)
    assert checkpoint['meta']['family'] == 'bearpaw'
    assert checkpoint['meta']['dataset_meta']['num_keypoints'] == 16


@pytest.mark.parametrize('num_stacks', [1, 2, 8])
def test_princeton(num_stacks):
    kwargs = {} if num_stacks < 8 else NARROW
    state, heatmaps = drawn(princeton, num_stacks, **kwargs)
    agree(to_mmpose(state, 'x'), heatmaps)


@pytest.mark.parametrize('num_stacks, num_blocks, old', [
    (1, 1, False), (2, 1, True), (8, 1, False), (2, 2, False)])
def test_umich(tmp_path, num_stacks, num_blocks, old):
    pytest.importorskip('torchfile')
    from torch7 import umich_file
    kwargs = {} if num_stacks == 1 else dict(width=32, stem=(16, 32, 32))
    path = tmp_path / 'model.t7'
    heatmaps = umich_file(path, picture(), num_stacks, num_blocks, old,
                          **kwargs)
    checkpoint = to_mmpose(read_checkpoint(str(path)), 'x')
    agree(checkpoint, heatmaps)
    assert checkpoint['meta']['family'] == 'umich'


def wrappings(state):
    def under(prefix):
        return {f'{prefix}{key}': tensor for key, tensor in state.items()}
    return [
        under('module.'), under('model.module.'),
        dict(epoch=3, arch='hg', state_dict=under('module.'),
             best_acc=np.float64(0.8), optimizer=dict(state={})),
        dict(state_dict=under('model.module.'), optimizer={}, epoch=1),
        dict(model=state)
    ]


@pytest.mark.parametrize('index', range(5))
def test_wrapped(tmp_path, index):
    """In training checkpoints and under the prefixes of DataParallel, and
    through a file, which may hold NumPy's numbers."""
    state, heatmaps = drawn(bearpaw, 1)
    path = tmp_path / 'checkpoint.pth.tar'
    torch.save(wrappings(state)[index], path)
    agree(to_mmpose(read_checkpoint(str(path)), 'x'), heatmaps)


def test_without_the_counters_of_old_pytorch():
    state, heatmaps = drawn(bearpaw, 1)
    state = {key: tensor for key, tensor in state.items()
             if not key.endswith('num_batches_tracked')}
    agree(to_mmpose(state, 'x'), heatmaps)


@pytest.mark.parametrize('network, family', [(bearpaw, 'bearpaw'),
                                             (princeton, 'princeton')])
@pytest.mark.parametrize('num_stacks', [1, 2])
def test_round_trip(network, family, num_stacks):
    """Bit for bit, but for the convolutions that princeton never uses."""
    state, _ = drawn(network, num_stacks)
    back = from_mmpose(to_mmpose(state, 'x'), family, 'x')
    assert back.keys() == state.keys()
    for key, tensor in state.items():
        assert back[key].shape == tensor.shape
        if 'skip_layer' not in key:
            assert torch.equal(back[key], tensor), key
    again = to_mmpose(back, 'x')['state_dict']
    for key, tensor in to_mmpose(state, 'x')['state_dict'].items():
        assert torch.equal(again[key], tensor), key


def test_between_families():
    """A network of one code base does not run in the other's."""
    state, _ = drawn(princeton, 1)
    with pytest.raises(ValueError, match=r'bearpaw.*stem_channels=\(64, 128, '
                       r'128\) instead of \(64, 128, 256\)'):
        from_mmpose(to_mmpose(state, 'x'), 'bearpaw', 'x')
    state, _ = drawn(bearpaw, 1, 2)
    with pytest.raises(ValueError, match='num_blocks=2 instead of 1'):
        from_mmpose(to_mmpose(state, 'x'), 'princeton', 'x')


def test_other_keypoints():
    state, _ = drawn(bearpaw, 1, keypoints=14)
    assert 'dataset_meta' not in to_mmpose(state, 'x')['meta']


def changed(**changes):
    state, _ = drawn(bearpaw, 1, **dict(NARROW))
    for key, tensor in changes.items():
        key = key.replace('__', '.')
        if tensor is None:
            del state[key]
        else:
            state[key] = tensor
    return state


@pytest.mark.parametrize('checkpoint, message', [
    ([1, 2], 'x is not a checkpoint: there is no dict'),
    ({}, 'x is not a checkpoint'),
    (dict(epoch=3), 'x is not a checkpoint'),
    (dict(state_dict=dict(a=1)), 'x is not a checkpoint'),
    ({'layer.0.weight': torch.zeros(1)},
     r'(?s)another network.*1 keys begin with layer.0.weight.*bearpaw.*'
     r'princeton.*umich'),
])
def test_what_is_no_checkpoint_of_ours(checkpoint, message):
    with pytest.raises(ValueError, match=message):
        to_mmpose(checkpoint, 'x')


@pytest.mark.parametrize('changes, message', [
    (dict(layer9__weight=torch.zeros(1)), 'family bearpaw.*layer9.weight'),
    (dict(bn1__weight=None), 'damaged.*missing.*stem.1.weight'),
    (dict(fc__0__0__weight=None), 'damaged.*stacks.0.features.1.weight'),
    (dict(bn1__weight=torch.zeros(3)), 'another shape.*stem.1.weight'),
    (dict(bn1__weight=torch.full((32, ), torch.nan)),
     'not finite.*stem.1.weight'),
    (dict(bn1__bias=torch.full((32, ), torch.inf)), 'not finite'),
    (dict(bn1__bias=torch.zeros(32).to_sparse()), 'not dense.*stem.1.bias'),
    (dict(bn1__bias=torch.zeros(32, device='meta')), 'not dense'),
    (dict(bn1__bias=torch.zeros(32, dtype=torch.long)), 'floating'),
])
def test_damaged(changes, message):
    with pytest.raises(ValueError, match=message):
        to_mmpose(changed(**changes), 'x')


@pytest.mark.parametrize('key', ['stacks.1000000000.x.weight',
                                 'stacks.x.y.weight', 'stem.x'])
def test_keys_that_want_to_be_a_huge_network(key):
    state, _ = drawn(bearpaw, 1, **NARROW)
    state = to_mmpose(state, 'x')['state_dict']
    state[f'backbone.{key}'] = torch.zeros(1)
    with pytest.raises(ValueError, match=f'damaged.*{key}'):
        to_mmpose(dict(state_dict=state, meta='text'), 'x')


@pytest.fixture
def torch7_file(tmp_path):
    pytest.importorskip('torchfile')
    from torch7 import umich_file
    path = tmp_path / 'model.t7'
    umich_file(path, picture(), 1, width=32, stem=(16, 32, 32))
    return path


def test_truncated_torch7_file(torch7_file):
    content = torch7_file.read_bytes()
    for length in 5, 1000, len(content) // 2, len(content) - 1:
        torch7_file.write_bytes(content[:length])
        with pytest.raises(ValueError, match='model.t7.*truncated'):
            to_mmpose(read_checkpoint(str(torch7_file)), 'x')


def test_torch7_file_inside_a_zip_archive(torch7_file):
    """As the authors publish theirs."""
    import zipfile
    path = torch7_file.with_suffix('.zip')
    with zipfile.ZipFile(path, 'w') as archive:
        archive.write(torch7_file, 'folder/model.t7')
    assert to_mmpose(read_checkpoint(str(path)), 'x')['meta']['family'] == \
        'umich'


def test_damaged_zip_archives(tmp_path, monkeypatch):
    import zipfile

    from mmpose_shn.weights import files
    path = tmp_path / 'model.zip'

    def archive(**members):
        with zipfile.ZipFile(path, 'w') as file:
            for name, content in members.items():
                file.writestr(name.replace('__t7', '.t7'), content)
        return bytearray(path.read_bytes())

    def refused(content, message):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f'{path} cannot be read as a '
                           f'.*{message}') as error:
            read_checkpoint(str(path))
        assert str(error.value).count('/model') == 1  # no temporary path

    content = archive(model__t7=b'\4\0\0\0hello')
    refused(content, 'Torch7 file')
    damaged, encrypted = content.copy(), content.copy()
    damaged[content.index(b'hello')] ^= 255
    refused(damaged, 'CRC')
    for signature, flags in (b'PK\3\4', 6), (b'PK\1\2', 8):
        encrypted[content.index(signature) + flags] |= 1
    refused(encrypted, 'encrypted')
    monkeypatch.setattr(files, '_LARGEST_TORCH7', 8)
    refused(content, 'would have 9 bytes')
    refused(archive(**{'__MACOSX/._model__t7': b'longer than that'}),
            'truncated')


def test_another_torch7_network(tmp_path):
    pytest.importorskip('torchfile')
    from torch7 import Graph, Module, table, write
    graph = Graph(Weights())
    image = graph.node(Module('nn.Identity'), picture())
    last = graph.node(None, None, graph.linear(image, 8))
    outnode = Module('nngraph.Node', data=last['data'])
    for network, message in [
        (Module('nn.gModule', outnode=outnode), 'ReLU in the place of'),
        (Module('nn.gModule'), 'not that of pose-hg-train'),
        (Module('nn.Sequential', modules=table()), 'not a checkpoint'),
        (table(1, 2), 'another network|not a checkpoint'),
    ]:
        write(tmp_path / 'm.t7', network)
        with pytest.raises(ValueError, match=message):
            to_mmpose(read_checkpoint(str(tmp_path / 'm.t7')), 'x')


def test_a_torch7_tensor_that_reaches_beyond_the_file(torch7_file):
    """Numbers that are not in the file are not read out of the memory."""
    content = torch7_file.read_bytes()
    # ndim 1, size, stride 1: the first such tensor, of 16 numbers
    before = b''.join(n.to_bytes(8, 'little') for n in (16, 1, 1))
    after = b''.join(n.to_bytes(8, 'little') for n in (1 << 40, 1, 1))
    assert before in content
    torch7_file.write_bytes(content.replace(before, after, 1))
    with pytest.raises(ValueError, match='reaches beyond'):
        read_checkpoint(str(torch7_file))


def test_a_torch7_tensor_that_repeats_its_numbers(torch7_file):
    """A billion of them, say, with stride 0, from a file of a few bytes."""
    content = torch7_file.read_bytes()
    before = b''.join(n.to_bytes(8, 'little') for n in (16, 1, 1))
    after = b''.join(n.to_bytes(8, 'little') for n in (1 << 50, 0, 1))
    torch7_file.write_bytes(content.replace(before, after, 1))
    with pytest.raises(ValueError, match='another shape'):
        to_mmpose(read_checkpoint(str(torch7_file)), 'x')


def test_torch7_networks_without_end(tmp_path):
    pytest.importorskip('torchfile')
    from torch7 import Graph, Module, table, write
    path = tmp_path / 'm.t7'

    def start():
        graph = Graph(Weights())
        image = graph.node(Module('nn.Identity'), picture())
        return graph, graph.linear(image, 8)

    def refused(graph, node, message):
        output = graph.conv_node(graph.linear(node, 8), 16)
        last = graph.node(None, None, output)
        write(path, Module('nn.gModule', outnode=Module(
            'nngraph.Node', data=last['data'])))
        with pytest.raises(ValueError, match=f'pose-hg-train.*{message}'):
            to_mmpose(read_checkpoint(str(path)), 'x')

    graph, node = start()
    refused(graph, node, 'ReLU in the place of a residual')

    graph, node = start()
    residual = graph.residual(node, 8)
    residual['data']['mapindex'] = table(residual['data'])
    refused(graph, residual, 'Sequential in the place of CAddTable')

    graph, node = start()  # an hourglass inside itself
    whole = graph.add(node, node)
    low = graph.node(Module('nn.SpatialUpSamplingNearest'), node['value'],
                     graph.residual(whole, 8))
    whole['data']['mapindex'] = table(graph.residual(node, 8)['data'],
                                      low['data'])
    refused(graph, graph.residual(whole, 8), 'it uses a layer twice')


def test_torchfile_is_left_as_it_was(torch7_file):
    import torchfile

    from mmpose_shn.weights import umich
    read_checkpoint(str(torch7_file))
    assert umich._read_tensor not in torchfile.type_handlers.values()


def test_reader_of_torch7_files_is_missing(torch7_file, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'torchfile', None)
    with pytest.raises(ImportError, match=r'mmpose_shn\[umich\]'):
        read_checkpoint(str(torch7_file))
