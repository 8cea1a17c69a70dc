"""The published networks written a second time, from their description alone,
under the names of each family. Weights are drawn when they are first used, so
that a forward pass also makes the state dict."""
import torch
import torch.nn.functional as F


class Weights:
    """A state dict that is drawn at random while a network runs on it."""

    def __init__(self, norm='BN', seed=0):
        self.state = {}
        self.norm = norm
        self.generator = torch.Generator().manual_seed(seed)

    def draw(self, name, *shape, scale=1., around=0.):
        if name not in self.state:
            noise = torch.randn(shape, generator=self.generator)
            self.state[name] = around + scale * noise
        return self.state[name]

    def conv(self, x, name, out, size=1, **kwargs):
        fan_in = x.shape[1] * size * size
        weight = self.draw(f'{name}.weight', out, x.shape[1], size, size,
                           scale=fan_in**-0.5)
        return F.conv2d(x, weight, self.draw(f'{name}.bias', out, scale=0.3),
                        padding=size // 2, **kwargs)

    def norm_relu(self, x, name):
        width = x.shape[1]
        weight = self.draw(f'{name}.weight', width, scale=0.3, around=1.)
        bias = self.draw(f'{name}.bias', width, scale=0.3)
        if self.norm == 'GN':
            return F.group_norm(x, 32, weight, bias).relu()
        mean = self.draw(f'{name}.running_mean', width, scale=0.3)
        if f'{name}.running_var' not in self.state:
            self.draw(f'{name}.running_var', width).abs_().add_(0.5)
            self.state[f'{name}.num_batches_tracked'] = torch.tensor(7)
        var = self.state[f'{name}.running_var']
        # BatchNorm in the form of a line, not as PyTorch computes it
        slope = weight / (var + 1e-5).sqrt()
        return (x * slope.view(1, -1, 1, 1) +
                (bias - mean * slope).view(1, -1, 1, 1)).relu()


def up(x):
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def bearpaw(weights, x, num_stacks, num_blocks=1, keypoints=16, width=256,
            stem=(64, 128, 256)):
    """(N, 3, H, W) -> heatmaps of every stack, under bearpaw's names."""
    w = weights

    def residual(x, name, out):
        y = w.conv(w.norm_relu(x, f'{name}.bn1'), f'{name}.conv1', out // 2)
        y = w.conv(w.norm_relu(y, f'{name}.bn2'), f'{name}.conv2', out // 2, 3)
        y = w.conv(w.norm_relu(y, f'{name}.bn3'), f'{name}.conv3', out)
        return y + (x if x.shape[1] == out else
                    w.conv(x, f'{name}.downsample.0', out))

    def residuals(x, name):
        for b in range(num_blocks):
            x = residual(x, f'{name}.{b}', width)
        return x

    def hourglass(x, name, level):
        high = residuals(x, f'{name}.{level}.0')
        low = residuals(F.max_pool2d(x, 2), f'{name}.{level}.1')
        low = hourglass(low, name, level - 1) if level else \
            residuals(low, f'{name}.0.3')
        return high + up(residuals(low, f'{name}.{level}.2'))

    x = w.norm_relu(w.conv(x, 'conv1', stem[0], 7, stride=2), 'bn1')
    x = F.max_pool2d(residual(x, 'layer1.0', stem[1]), 2)
    x = residual(residual(x, 'layer2.0', stem[2]), 'layer3.0', width)
    heatmaps = []
    for s in range(num_stacks):
        y = residuals(hourglass(x, f'hg.{s}.hg', 3), f'res.{s}')
        y = w.norm_relu(w.conv(y, f'fc.{s}.0', width), f'fc.{s}.1')
        heatmaps.append(w.conv(y, f'score.{s}', keypoints))
        if s < num_stacks - 1:
            x = x + w.conv(y, f'fc_.{s}', width) + w.conv(
                heatmaps[-1], f'score_.{s}', width)
    return heatmaps


def princeton(weights, x, num_stacks, keypoints=16, width=256,
              stem=(64, 128, 128)):
    """(N, 3, H, W) -> heatmaps of every stack, under princeton's names."""
    w = weights

    def residual(x, name, out=width):
        y = w.conv(w.norm_relu(x, f'{name}.bn1'), f'{name}.conv1.conv',
                   out // 2)
        y = w.conv(w.norm_relu(y, f'{name}.bn2'), f'{name}.conv2.conv',
                   out // 2, 3)
        y = w.conv(w.norm_relu(y, f'{name}.bn3'), f'{name}.conv3.conv', out)
        # always there, but not always used
        skip = w.conv(x, f'{name}.skip_layer.conv', out)
        return y + (x if x.shape[1] == out else skip)

    def hourglass(x, name, level):
        low = residual(F.max_pool2d(x, 2), f'{name}.low1')
        low = hourglass(low, f'{name}.low2', level - 1) if level > 1 else \
            residual(low, f'{name}.low2')
        return residual(x, f'{name}.up1') + up(residual(low, f'{name}.low3'))

    x = w.norm_relu(w.conv(x, 'pre.0.conv', stem[0], 7, stride=2), 'pre.0.bn')
    x = F.max_pool2d(residual(x, 'pre.1', stem[1]), 2)
    x = residual(residual(x, 'pre.3', stem[2]), 'pre.4')
    heatmaps = []
    for s in range(num_stacks):
        y = residual(hourglass(x, f'hgs.{s}.0', 4), f'features.{s}.0')
        y = w.norm_relu(w.conv(y, f'features.{s}.1.conv', width),
                        f'features.{s}.1.bn')
        heatmaps.append(w.conv(y, f'outs.{s}.conv', keypoints))
        if s < num_stacks - 1:
            x = x + w.conv(y, f'merge_features.{s}.conv.conv', width) + w.conv(
                heatmaps[-1], f'merge_preds.{s}.conv.conv', width)
    return heatmaps
