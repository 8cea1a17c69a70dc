"""The scheme shn://: downloads from a server on this machine, files that are
not to be trusted, and every way in which MMPose takes a checkpoint."""
import hashlib
import io
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader, load_checkpoint
from mmpose.apis import MMPoseInferencer, init_model
from mmpose.registry import MODELS
from reference_networks import Weights, bearpaw

from mmpose_shn.backbones import StackedHourglass
from mmpose_shn.weights import (convert_file, fetch, load_from_shn,
                                read_checkpoint)
from mmpose_shn.weights.published import PUBLISHED, find_published

CONFIGS = Path(__file__).parents[2] / 'configs'
SIZES = dict(feat_channels=64, stem_channels=(32, 32, 64))


@pytest.fixture(scope='module')
def published(tmp_path_factory):
    """A file as bearpaw publishes it, of a narrow network of 2 stacks."""
    weights = Weights()
    bearpaw(weights, torch.rand(1, 3, 64, 64), 2, width=64, stem=(32, 32, 64))
    path = tmp_path_factory.mktemp('published') / 'model_best.pth.tar'
    torch.save(dict(epoch=1, state_dict={f'module.{k}': v for k, v in
                                         weights.state.items()}), path)
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, '_hub_dir', str(tmp_path / 'hub'))
    return tmp_path / 'hub' / 'mmpose_shn'


class Server(BaseHTTPRequestHandler):
    content, ranges, cut, ignore_range = b'', [], None, False
    etag, knows_if_range = None, True

    def do_GET(self):
        if self.path != '/weights.pth':
            return self.send_error(404)
        wanted = self.headers.get('Range')
        type(self).ranges.append(wanted)
        start = 0
        condition = self.headers.get('If-Range') if self.knows_if_range \
            else None
        if wanted and not self.ignore_range and condition in (None, self.etag):
            start = int(wanted[len('bytes='):-1])
            if start >= len(self.content):
                return self.send_error(416)
        body = self.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header('Content-Range', f'bytes {start}-'
                             f'{len(self.content) - 1}/{len(self.content)}')
        if self.etag:
            self.send_header('ETag', self.etag)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body[:self.cut])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(published):
    class Own(Server):
        content, ranges = published.read_bytes(), []
    http = ThreadingHTTPServer(('127.0.0.1', 0), Own)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    Own.url = f'http://127.0.0.1:{http.server_port}/weights.pth'
    Own.sha256 = hashlib.sha256(Own.content).hexdigest()
    yield Own
    http.shutdown()
    http.server_close()


@pytest.fixture
def log(monkeypatch):
    messages = []
    for module in 'weights.convert', 'backbones.stacked_hourglass':
        monkeypatch.setattr(f'mmpose_shn.{module}.print_log',
                            lambda message, *args: messages.append(message))
    return messages


def files(folder):
    return [p.name for p in sorted(folder.iterdir())
            if p.suffix != '.lock'] if folder.is_dir() else []


def test_download_once(server, published, cache):
    path = fetch(server.url, server.sha256[:8])
    assert Path(path).read_bytes() == published.read_bytes()
    assert fetch(server.url, server.sha256[:8]) == path
    assert server.ranges == [None]
    assert files(cache) == [Path(path).name]
    checkpoint = load_from_shn(f'shn://{server.url}')
    assert server.ranges == [None]
    assert 'backbone.stacks.1.predict.weight' in checkpoint['state_dict']


def test_two_addresses_with_the_same_name_are_two_files(server, cache):
    assert fetch(server.url) != fetch(
        server.url.replace('127.0.0.1', 'localhost'))


def test_another_hash(server, cache):
    for _ in range(2):
        with pytest.raises(ValueError, match=f'{server.sha256}.*0badc0de'):
            fetch(server.url, '0badc0de')
        assert files(cache) == []


def test_the_hash_in_the_name_is_checked(server, cache):
    with pytest.raises(ConnectionError, match='404'):
        load_from_shn(f'shn://{server.url}-none')  # not a hash
    original = server.do_GET

    def named(self):
        self.path = '/weights.pth'
        original(self)

    server.do_GET = named
    base = server.url.rpartition('/')[0]
    load_from_shn(f'shn://{base}/hg-{server.sha256[:8]}.pth')
    with pytest.raises(ValueError, match='should begin with 0badc0de'):
        load_from_shn(f'shn://{base}/hg-0badc0de.pth')
    load_from_shn(f'shn://{base}/hg2-20240131.pth')  # a date


@pytest.mark.parametrize('ignore_range', [False, True])
def test_cut_off_and_resumed(server, published, cache, ignore_range):
    server.cut, server.ignore_range = 1000, ignore_range
    with pytest.raises(ConnectionError, match='Run it again'):
        fetch(server.url, server.sha256)
    assert [Path(n).suffix for n in files(cache)] == ['.part']
    server.cut = None
    path = fetch(server.url, server.sha256)
    assert server.ranges == [None, 'bytes=1000-']
    assert Path(path).read_bytes() == published.read_bytes()
    assert files(cache) == [Path(path).name]


def test_without_a_hash_a_part_is_gone_on_with_by_its_etag(server, cache):
    server.cut, server.etag = 1000, '"1"'
    with pytest.raises(ConnectionError, match='Run it again'):
        fetch(server.url)
    server.cut = None
    path = fetch(server.url)
    assert server.ranges == [None, 'bytes=1000-']
    assert Path(path).read_bytes() == server.content
    assert files(cache) == [Path(path).name]


@pytest.mark.parametrize('etag, knows_if_range', [
    ('"1"', True), ('"1"', False), (None, True)])
def test_versions_of_a_file_are_not_mixed(server, cache, etag,
                                          knows_if_range):
    """The file changes after a download was cut off, and there is no hash."""
    server.cut, server.etag, server.knows_if_range = 1000, etag, knows_if_range
    with pytest.raises(ConnectionError):
        fetch(server.url)
    checkpoint = torch.load(io.BytesIO(server.content))
    for tensor in checkpoint['state_dict'].values():
        tensor.mul_(2)
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    # PyTorch writes the name of the file into it: another begins otherwise
    assert buffer.getvalue()[:1000] != server.content[:1000]
    server.content, server.cut = buffer.getvalue(), None
    server.etag = etag and '"2"'
    assert Path(fetch(server.url)).read_bytes() == server.content


def test_a_page_in_place_of_a_file_is_not_kept(server, cache):
    good, server.content = server.content, b'<html>It has moved.</html>'
    with pytest.raises(ValueError, match=f'{server.url} sent cannot be read '
                       'as a checkpoint.*shn://PATH'):
        load_from_shn(f'shn://{server.url}')
    assert files(cache) == []
    server.content = good
    load_from_shn(f'shn://{server.url}')


def test_a_download_that_needs_trust_is_kept(server, cache, tmp_path):
    buffer = io.BytesIO()
    torch.save(dict(torch.load(io.BytesIO(server.content)), args=Harmless()),
               buffer)
    server.content = buffer.getvalue()
    with pytest.raises(ValueError, match='--trust'):
        load_from_shn(f'shn://{server.url}')
    convert_file(server.url, str(tmp_path / 'out.pth'), trust=True)
    assert server.ranges == [None]


def test_a_file_in_the_cache_is_checked(server, cache):
    path = Path(fetch(server.url, server.sha256))
    path.write_bytes(b'damaged')
    assert Path(fetch(server.url, server.sha256)).read_bytes() == \
        server.content


def test_a_part_that_cannot_be_gone_on_with(server, published, cache):
    """Longer than the file, or of another file: never used."""
    path = fetch(server.url)
    os.rename(path, f'{path}.part')
    assert fetch(server.url, server.sha256) == path  # 416: begun anew
    os.remove(path)
    Path(f'{path}.part').write_bytes(b'something else')
    with pytest.raises(ValueError, match='thrown away'):
        fetch(server.url, server.sha256)
    assert fetch(server.url, server.sha256) == path


def test_no_such_file_and_no_server(server, cache):
    with pytest.raises(ConnectionError, match='404 Not Found.*shn://PATH'):
        fetch(server.url + 'x')
    assert files(cache) == []
    with pytest.raises(ConnectionError, match='cannot be downloaded'):
        fetch('http://127.0.0.1:9/weights.pth')
    assert files(cache) == []


def test_many_processes_download_once(server, cache):
    paths = []
    threads = [threading.Thread(
        target=lambda: paths.append(fetch(server.url, server.sha256)))
        for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(paths)) == 1 and len(paths) == 4
    assert server.ranges == [None]


def test_names(monkeypatch, server):
    for name, entry in PUBLISHED.items():
        assert {find_published(n) for n in (name, *entry.aliases)} == {name}
    assert find_published('shn8_mpii') == 'princeton_hg8'
    entry = PUBLISHED['bearpaw_hg2'].__class__(
        **{**PUBLISHED['bearpaw_hg2'].__dict__, 'url': server.url,
           'sha256': server.sha256[:8]})
    monkeypatch.setitem(PUBLISHED, 'bearpaw_hg2', entry)
    assert load_from_shn('shn://bearpaw_hg2')['meta']['family'] == 'bearpaw'


@pytest.mark.parametrize('name', ['no_such', 'no/such.pth',
                                  'bearpaw_hg2?stacks=2'])
def test_neither_name_nor_file(name):
    with pytest.raises(FileNotFoundError, match='bearpaw_hg8.*shn8_mpii'):
        load_from_shn(f'shn://{name}')


class Evil:

    def __reduce__(self):
        return os.system, ('touch executed', )


class Harmless:
    """What weights_only refuses, though it does no harm."""


def write(path, content):
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    return str(path)


@pytest.mark.parametrize('content', [
    b'', b'x', b'PK\3\4 not a zip', b'\x80\2 not a pickle', b'<html>404</html>'
])
def test_not_a_checkpoint(tmp_path, content):
    path = write(tmp_path / 'w.pth', content)
    with pytest.raises(ValueError, match='w.pth cannot be read as a checkpo'):
        load_from_shn(f'shn://{path}')


@pytest.mark.parametrize('legacy', [False, True])
def test_truncated(tmp_path, legacy):
    buffer = io.BytesIO()
    torch.save(dict(state_dict=dict(a=torch.zeros(1000))), buffer,
               _use_new_zipfile_serialization=not legacy)
    for length in 10, 200, 1500, len(buffer.getvalue()) - 10:
        path = write(tmp_path / 'w.pth', buffer.getvalue()[:length])
        for trust in False, True:
            with pytest.raises(ValueError, match='w.pth cannot be read'):
                read_checkpoint(path, trust)


@pytest.mark.parametrize('legacy', [False, True])
def test_code_in_a_file_is_not_run(tmp_path, legacy, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for content in Evil(), Harmless(), dict(state_dict={}, args=Harmless()):
        torch.save(content, 'w.pth',
                   _use_new_zipfile_serialization=not legacy)
        with pytest.raises(ValueError, match='(?s)w.pth holds more than tens'
                           'ors.*(system|Harmless).*--trust'):
            read_checkpoint('w.pth')
        assert not Path('executed').exists()
    assert isinstance(read_checkpoint('w.pth', trust=True)['args'], Harmless)
    # that it would do what it is kept from above
    torch.save(Evil(), 'w.pth', _use_new_zipfile_serialization=not legacy)
    read_checkpoint('w.pth', trust=True)
    assert Path('executed').exists()


def model(num_stacks=2, out_channels=16, **backbone):
    cfg = Config.fromfile(CONFIGS / 'shn2_mpii.py')
    cfg.merge_from_dict(dict(model=dict(
        backbone=dict(num_stacks=num_stacks, out_channels=out_channels,
                      **SIZES, **backbone),
        head=dict(num_stages=num_stacks, out_channels=out_channels))))
    cfg.model.backbone.stem_channels = SIZES['stem_channels']
    with DefaultScope.overwrite_default_scope('mmpose'):
        built = MODELS.build(cfg.model)
    return built, cfg


def weights_of(network):
    return {k: v.clone() for k, v in network.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[k], b[k]) for k in a)


@pytest.fixture
def expected(published):
    state = load_from_shn(f'shn://{published}')['state_dict']
    return {k[len('backbone.'):]: v for k, v in state.items()}


def test_load_from(published, expected):
    """As `load_from` of a runner and `tools/test.py` load it."""
    network, _ = model()
    load_checkpoint(network, f'shn://{published}', strict=True)
    assert same(expected, network.backbone.state_dict())


@pytest.mark.parametrize('prefix', [{}, dict(prefix='backbone.')])
def test_init_cfg(published, expected, prefix):
    network = StackedHourglass(
        num_stacks=2, **SIZES, init_cfg=dict(
            type='Pretrained', checkpoint=f'shn://{published}', **prefix))
    network.init_weights()
    assert same(expected, network.state_dict())


def test_inferencer_and_init_model(published, expected):
    _, cfg = model()
    picture = (torch.rand(80, 60, 3) * 255).byte().numpy()
    inferencer = MMPoseInferencer(
        cfg, f'shn://{published}', det_model='whole_image', device='cpu')
    assert same(expected,
                inferencer.inferencer.model.backbone.state_dict())
    result = next(inferencer(picture))['predictions'][0][0]
    assert len(result['keypoints']) == 16
    estimator = init_model(cfg, f'shn://{published}', device='cpu')
    assert same(expected, estimator.backbone.state_dict())
    assert estimator.dataset_meta['dataset_name'] == 'mpii'


@pytest.mark.parametrize('load', [
    lambda path: load_checkpoint(model()[0], path),
    lambda path: load_checkpoint(model()[0].backbone, path),
    lambda path: StackedHourglass(num_stacks=2, **SIZES, init_cfg=dict(
        type='Pretrained', checkpoint=path)).init_weights(),
    lambda path: MMPoseInferencer(model()[1], path, device='cpu',
                                  det_model='whole_image'),
])
def test_by_its_plain_path_it_is_refused(published, load):
    """MMEngine would warn and leave the network at random."""
    with pytest.raises(ValueError, match='no weights of this network.*shn://'):
        load(str(published))


def test_fewer_stacks(published, expected, log):
    network, _ = model(num_stacks=1)
    load_checkpoint(network, f'shn://{published}', strict=True)
    loaded = network.backbone.state_dict()
    assert loaded and all(torch.equal(expected[k], loaded[k]) for k in loaded)
    assert len(log) == 1 and 'first 1 of the 2 stacks' in log[0]


def test_more_stacks_than_in_the_file(published):
    with pytest.raises(ValueError, match='num_stacks=2 in the checkpoint, 4 '
                       'in the config'):
        load_checkpoint(model(num_stacks=4)[0], f'shn://{published}')


def test_other_widths_and_blocks(published):
    with pytest.raises(ValueError, match='num_blocks=1 in the checkpoint, 2'):
        load_checkpoint(model(num_blocks=2)[0], f'shn://{published}')
    network = StackedHourglass(num_stacks=2, feat_channels=64,
                               stem_channels=(32, 64, 64))
    with pytest.raises(ValueError, match=r'stem_channels=\(32, 32, 64\)'):
        load_checkpoint(network, f'shn://{published}')
    network = StackedHourglass(num_stacks=2, feat_channels=64,
                               stem_channels=(64, 64, 64),
                               norm_cfg=dict(type='GN', num_groups=32))
    with pytest.raises(ValueError, match="'BN'.*in the checkpoint.*'GN'"):
        load_checkpoint(network, f'shn://{published}')


def test_incomplete(expected):
    network = StackedHourglass(num_stacks=2, **SIZES)
    for key in 'stem.0.weight', 'stacks.1.hourglass.up1.0.norm1.bias':
        state = {k: v for k, v in expected.items() if k != key}
        with pytest.raises(ValueError, match=key):
            network.load_state_dict(state, strict=False)
    state = dict(expected, **{'stem.9.weight': torch.zeros(1)})
    with pytest.raises(ValueError, match='stem.9.weight'):
        network.load_state_dict(state, strict=False)
    network.load_state_dict({}, strict=False)  # nothing was asked for


@pytest.mark.parametrize('key', ['stacks.1.predict.weight',
                                 'stacks.0.merge_heatmaps.bias'])
def test_a_part_of_the_prediction_is_missing(expected, tmp_path, key, log):
    torch.save({k: v for k, v in expected.items() if k != key},
               tmp_path / 'w.pth')
    network = StackedHourglass(num_stacks=2, **SIZES)
    with pytest.raises(ValueError, match=f'1 weights.*missing.*: {key}.$'):
        load_checkpoint(network, str(tmp_path / 'w.pth'))
    assert log == []


def test_weights_of_the_rest_of_a_model():
    network, _ = model()
    network.add_module('extra', torch.nn.Linear(2, 2))
    state = {'extra.weight': torch.zeros(2, 2)}
    network.load_state_dict(state, strict=False)
    assert not network.extra.weight.any()
    with pytest.raises(RuntimeError, match='Missing key.*backbone.stem'):
        network.load_state_dict(state)


@pytest.mark.parametrize('change', [
    lambda network: torch.nn.utils.prune.l1_unstructured(
        network.stem[0], 'weight', 0.5),
    lambda network: torch.nn.utils.parametrizations.spectral_norm(
        network.stacks[0].features[1])])
def test_a_network_with_changed_modules_loads_itself(change, expected):
    import torch.nn.utils.prune  # noqa: F401  not imported by torch
    networks = [StackedHourglass(num_stacks=2, **SIZES) for _ in range(2)]
    for network in networks:
        change(network)
    networks[0].load_state_dict(networks[1].state_dict())
    assert same(networks[1].state_dict(), networks[0].state_dict())
    with pytest.raises(ValueError, match='missing, superfluous'):
        networks[0].load_state_dict(expected)


def test_other_keypoints(published, expected, log):
    """Refused, unless one asks for it; then the prediction starts anew."""
    network, _ = model(out_channels=14)
    before = weights_of(network.backbone)
    with pytest.raises(ValueError, match='out_channels=16 in the checkpoint, '
                       r'14 in the config.*\?out_channels=14'):
        load_checkpoint(network, f'shn://{published}')
    assert same(before, network.backbone.state_dict())

    checkpoint = load_checkpoint(network, f'shn://{published}?out_channels=14')
    assert 'dataset_meta' not in checkpoint['meta']
    after = network.backbone.state_dict()
    anew = {k for k in after if torch.equal(before[k], after[k])
            and not torch.equal(expected.get(k, after[k])[:1], after[k][:1])}
    assert anew == {
        'stacks.0.predict.weight', 'stacks.0.predict.bias',
        'stacks.1.predict.weight', 'stacks.1.predict.bias',
        'stacks.0.merge_heatmaps.weight', 'stacks.0.merge_heatmaps.bias'}
    assert all(torch.equal(after[k], expected[k]) for k in after
               if k not in anew)
    assert log == [
        'The checkpoint has 16 keypoints and is loaded for 14. These layers '
        'start anew: stacks.0.predict, stacks.0.merge_heatmaps, '
        'stacks.1.predict.',
        'StackedHourglass: the checkpoint has no prediction: `predict` and '
        '`merge_heatmaps` start anew.'
    ]

    checkpoint = load_from_shn(f'shn://{published}?out_channels=16')
    assert 'backbone.stacks.0.predict.weight' in checkpoint['state_dict']
    assert 'dataset_meta' in checkpoint['meta']


def test_a_checkpoint_of_ours_for_other_keypoints(tmp_path):
    """The scheme reads what MMEngine saved here, log and all."""
    from mmengine.logging import HistoryBuffer
    network, _ = model()
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(
        state_dict=network.state_dict(), meta=dict(epoch=1, cfg='text'),
        message_hub=dict(log_scalars=dict(
            loss=HistoryBuffer([1.], [1])))), path)
    checkpoint = load_from_shn(f'shn://{path}')
    assert checkpoint['meta']['epoch'] == 1
    assert 'cfg' not in checkpoint['meta']
    assert checkpoint['meta']['family'] == 'mmpose'
    assert same(network.state_dict(), checkpoint['state_dict'])
    load_checkpoint(model(out_channels=5)[0], f'shn://{path}?out_channels=5')


def test_the_scheme_is_mmengines_extension_point():
    loader = CheckpointLoader._get_checkpoint_loader('shn://x')
    assert loader is load_from_shn
