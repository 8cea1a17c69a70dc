"""Table, configs, metafile, documentation and tool agree with each other, and
a model is found by its name."""
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.infer import BaseInferencer
from mmengine.registry import DefaultScope
from mmpose.apis import MMPoseInferencer
from mmpose.registry import MODELS
from reference_networks import Weights, bearpaw, princeton

from mmpose_shn.checks import check_config
from mmpose_shn.weights import (PUBLISHED, convert_file, from_mmpose,
                                load_from_shn, read_checkpoint, to_mmpose)

ROOT = Path(__file__).parents[2]
METAFILE = ROOT / 'configs' / 'published' / 'metafile.yml'
MODELS_BY_NAME = {m['Name']: m for m in
                  yaml.safe_load(METAFILE.read_text())['Models']}


def build(cfg):
    with DefaultScope.overwrite_default_scope('mmpose'):
        return MODELS.build(cfg.model)


@pytest.mark.parametrize('name', PUBLISHED)
def test_metafile_and_config(name):
    entry, model = PUBLISHED[name], MODELS_BY_NAME[f'{name}_mpii']
    assert model['Weights'] == f'shn://{name}'
    assert model['Source'] == entry.url
    assert model['Config'] == f'configs/{entry.config}'
    assert model['Alias'] == [name, *entry.aliases]
    assert model['Metadata']['Licence'] == entry.licence
    assert model['Metadata']['Published By'] == entry.source
    results = model.get('Results')
    assert (results and results[0]['Metrics']['Mean'] * 100) == \
        (entry.pckh and pytest.approx(entry.pckh))

    cfg = Config.fromfile(ROOT / 'configs' / entry.config)
    check_config(cfg, splits=())
    assert cfg.model.backbone.get('num_stacks') == entry.num_stacks
    assert tuple(cfg.model.backbone.get(
        'stem_channels', (64, 128, 128))) == entry.stem_channels
    preprocessor = cfg.model.data_preprocessor
    assert preprocessor.mean == pytest.approx([255 * m for m in entry.mean])
    assert preprocessor.std == [255] * 3 and preprocessor.bgr_to_rgb
    assert cfg.model.test_cfg.flip_test
    assert not cfg.model.test_cfg.shift_heatmap
    assert cfg.model.head.decoder.type == 'PixelHeatmap'
    encoder = cfg.train_dataloader.dataset.pipeline[-2].encoder
    assert encoder == cfg.model.head.decoder


def test_every_model_of_the_metafile_is_in_the_table():
    assert set(MODELS_BY_NAME) == {f'{name}_mpii' for name in PUBLISHED}
    names = [n for m in MODELS_BY_NAME.values()
             for n in (m['Name'], *m['Alias'])]
    assert len(names) == len(set(names))


def test_documentation():
    rows = [line for line in
            (ROOT / 'docs' / 'weights.md').read_text().splitlines()
            if line.startswith('| `') and 'shn://' not in line]
    assert len(rows) == len(PUBLISHED)
    for row, (name, entry) in zip(rows, PUBLISHED.items()):
        cells = [cell.strip() for cell in row.strip('|').split('|')]
        names = ', '.join(f'`{n}`' for n in (name, *entry.aliases))
        assert cells == [
            names, entry.family, str(entry.num_stacks),
            'x'.join(map(str, entry.stem_channels)),
            ', '.join(map(str, entry.mean)),
            '-' if entry.pckh is None else str(entry.pckh),
            entry.sha256 or 'none given', entry.licence
        ]


@pytest.mark.parametrize('name, expected', [
    ('shn8_mpii', 'princeton_hg8'), ('SHN1_MPII', 'bearpaw_hg1'),
    ('bearpaw_hg2', 'bearpaw_hg2'), ('princeton_hg2_mpii', 'princeton_hg2')])
def test_config_and_weights_are_found_by_name(name, expected):
    cfg, weights = BaseInferencer._load_model_from_metafile(
        SimpleNamespace(scope='mmpose_shn'), name)
    assert cfg.model.backbone.type == 'StackedHourglass'
    assert weights == f'shn://{expected}'
    assert cfg.model.backbone.num_stacks == PUBLISHED[expected].num_stacks


def test_through_mmengines_hub():
    cfg = get_config('mmpose_shn::published/bearpaw_hg8_mpii.py',
                     pretrained=True)
    assert cfg.model_path == 'shn://bearpaw_hg8'


@pytest.fixture(scope='module')
def hg1(tmp_path_factory):
    """bearpaw's network of one stack, at full width, drawn at random."""
    weights = Weights()
    bearpaw(weights, torch.rand(1, 3, 64, 64), 1)
    path = tmp_path_factory.mktemp('hg1') / 'bearpaw_hg1.pth'
    torch.save(weights.state, path)
    return path


def test_inferencer_by_name(hg1, monkeypatch):
    monkeypatch.setattr('mmpose_shn.weights.files.fetch',
                        lambda url, sha256: str(hg1))
    inferencer = MMPoseInferencer('shn1_mpii', scope='mmpose_shn',
                                  det_model='whole_image', device='cpu')
    expected = load_from_shn(f'shn://{hg1}')['state_dict']
    loaded = inferencer.inferencer.model.state_dict()
    assert all(torch.equal(loaded[k], v) for k, v in expected.items())
    picture = (torch.rand(90, 70, 3) * 255).byte().numpy()
    result = next(inferencer(picture))['predictions'][0][0]
    assert len(result['keypoints']) == 16


@pytest.fixture
def convert(tmp_path, monkeypatch, capsys):
    """Run the tool in a folder; return the last line that it says."""
    monkeypatch.chdir(tmp_path)
    tool = ROOT / 'tools' / 'convert_checkpoint.py'

    def run(*arguments, fails=False):
        monkeypatch.setattr('sys.argv', [str(tool), *map(str, arguments)])
        if fails:
            with pytest.raises(SystemExit) as error:
                runpy.run_path(str(tool), run_name='__main__')
            return error.value.code
        runpy.run_path(str(tool), run_name='__main__')
        return capsys.readouterr().out.splitlines()[-1]

    return run


def test_tool_and_the_config_that_it_writes(hg1, tmp_path, convert):
    assert 'family bearpaw' in convert(hg1, 'out/w.pth', '--config',
                                       'out/hg1.py')
    cfg = Config.fromfile(tmp_path / 'out' / 'hg1.py')
    check_config(cfg, splits=())
    network = build(cfg)
    checkpoint = torch.load(tmp_path / 'out' / 'w.pth', weights_only=False)
    network.load_state_dict(checkpoint['state_dict'])
    assert checkpoint['meta']['dataset_meta']['num_keypoints'] == 16
    assert cfg.model.data_preprocessor.mean[0] == pytest.approx(112.302)

    # and back, to the very file that it came from
    convert('out/w.pth', 'back.pth', '--to', 'bearpaw')
    back, original = torch.load(tmp_path / 'back.pth'), torch.load(hg1)
    assert list(back) == list(original)
    assert all(torch.equal(back[k], original[k]) for k in original)


def test_config_of_other_keypoints_widths_and_norms(tmp_path):
    weights = Weights('GN')
    bearpaw(weights, torch.rand(1, 3, 128, 128), 2, 2, keypoints=5, width=64,
            stem=(64, 64, 64))
    torch.save(weights.state, tmp_path / 'w.pth')
    convert_file(str(tmp_path / 'w.pth'), str(tmp_path / 'out.pth'),
                 str(tmp_path / 'out.py'))
    cfg = Config.fromfile(tmp_path / 'out.py')
    build(cfg).load_state_dict(torch.load(tmp_path / 'out.pth')['state_dict'])
    with pytest.raises(ValueError, match='mpii, has 16 keypoints.*=5'):
        check_config(cfg, splits=())


def test_tool_refuses_and_writes_nothing(hg1, tmp_path, convert):
    (tmp_path / 'text.pth').write_text('no checkpoint')
    state = torch.load(hg1)
    torch.save({**state, 'bn1.weight': state['bn1.weight'] * torch.nan},
               tmp_path / 'nan.pth')
    before = sorted(tmp_path.iterdir())
    for arguments, message in [
        (['none.pth'], 'There is no file none.pth'),
        (['text.pth'], 'text.pth cannot be read'),
        (['nan.pth'], 'not finite'),
        ([hg1, '--to', 'princeton'], 'cannot build'),
    ]:
        said = convert(*arguments[:1], 'OUT.pth', *arguments[1:], '--config',
                       'OUT.py', fails=True)
        assert said.startswith('error: ') and message in said
        assert sorted(tmp_path.iterdir()) == before


def test_tool_trusts_when_it_is_told_to(hg1, tmp_path, convert):
    """Old training checkpoints hold objects of their code."""
    state = dict(state_dict=torch.load(hg1), args=pytest.approx(1))
    torch.save(state, tmp_path / 'old.pth')
    assert '--trust' in convert('old.pth', 'w.pth', fails=True)
    convert('old.pth', 'w.pth', '--trust')
    assert (tmp_path / 'w.pth').is_file()


def test_what_a_trusted_conversion_keeps(hg1, tmp_path):
    """Its result needs no trust: MMEngine evaluates meta['config'] when it
    resumes, and an object would be pickled again."""
    checkpoint = load_from_shn(f'shn://{hg1}')
    weights = {k: torch.nn.Parameter(v, v.is_floating_point())
               for k, v in checkpoint['state_dict'].items()}
    next(iter(weights.values())).extra = pytest.approx(1)
    meta = dict(epoch=3, iter=pytest.approx(1), config='evil()', cfg='evil()',
                family=['umich'], x=pytest.approx(1),
                dataset_meta=dict(num_keypoints=pytest.approx(16)))
    torch.save(dict(state_dict=weights, meta=meta), tmp_path / 'in.pth')
    convert_file(str(tmp_path / 'in.pth'), str(tmp_path / 'out.pth'),
                 trust=True)
    out = read_checkpoint(str(tmp_path / 'out.pth'))
    assert set(out['meta']) == {'mmpose_shn_version', 'epoch', 'family',
                                'dataset_meta'}
    assert out['meta']['epoch'] == 3 and out['meta']['family'] == 'mmpose'
    assert out['meta']['dataset_meta']['num_keypoints'] == 16
    assert all(torch.equal(out['state_dict'][k], v)
               for k, v in checkpoint['state_dict'].items())


def test_a_second_conversion_has_the_same_config(hg1, tmp_path):
    for source, name in (hg1, 'a'), (tmp_path / 'a.pth', 'b'):
        convert_file(str(source), str(tmp_path / f'{name}.pth'),
                     str(tmp_path / f'{name}.py'))
    assert (tmp_path / 'b.py').read_text() == (tmp_path / 'a.py').read_text()


def test_conversion_leaves_nothing_behind(hg1, tmp_path, convert):
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'file').write_text('')
    before = sorted(tmp_path.iterdir())
    for out, config, message in [
        ('folder', 'c.py', 'folder is a folder'),
        ('o.pth', 'folder', 'folder is a folder'),
        ('file/o.pth', 'c.py', 'file'),
        ('o.pth', 'file/c.py', 'file'),
        ('o.pth', './o.pth', 'both checkpoint and config'),
    ]:
        said = convert(hg1, out, '--config', config, fails=True)
        assert said.startswith('error: ') and message in said
        assert sorted(tmp_path.iterdir()) == before
        assert not any((tmp_path / 'folder').iterdir())


def test_trained_here_and_run_there(tmp_path):
    """Our network gives the heatmaps of princeton's, from its keys."""
    from mmpose_shn.backbones import StackedHourglass
    network = StackedHourglass(num_stacks=2, init_cfg=None).eval()
    weights = Weights()
    weights.state = from_mmpose(
        dict(state_dict=network.state_dict()), 'princeton', 'x')
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        for ours, theirs in zip(network(x), princeton(weights, x, 2)):
            assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()


def test_a_torch7_file_by_the_scheme(tmp_path):
    pytest.importorskip('torchfile')
    from torch7 import umich_file
    umich_file(tmp_path / 'm.t7', torch.rand(1, 3, 64, 64), 1, width=32,
               stem=(16, 32, 32))
    checkpoint = load_from_shn(f'shn://{tmp_path}/m.t7')
    convert_file(str(tmp_path / 'm.t7'), str(tmp_path / 'm.pth'))
    again = to_mmpose(read_checkpoint(str(tmp_path / 'm.pth')), 'x')
    assert all(torch.equal(v, again['state_dict'][k])
               for k, v in checkpoint['state_dict'].items())
