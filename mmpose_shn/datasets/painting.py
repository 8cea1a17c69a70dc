"""Flat illustrations of people and of what stands around them.

Points are complex numbers x + iy in pixels of the picture, colours are BGR,
and the points of a person come by name: the joints of the data set and the
ends of feet and hands.
"""
import cv2
import numpy as np

SKINS = ('#ffdbc4', '#f3c6a5', '#e0a887', '#c68863', '#9c6644', '#6f4530')
HAIRS = ('#2b1d18', '#3d2a20', '#5b3a26', '#8a5a35', '#c8914f', '#e3c07a',
         '#a4452c', '#8d8a88', '#1d2230')
PALETTES = (
    ('#264653', '#2a9d8f', '#e9c46a', '#f4a261', '#e76f51'),
    ('#355070', '#6d597a', '#b56576', '#e56b6f', '#eaac8b'),
    ('#003049', '#d62828', '#f77f00', '#fcbf49', '#eae2b7'),
    ('#1d3557', '#457b9d', '#a8dadc', '#f1faee', '#e63946'),
    ('#606c38', '#283618', '#fefae0', '#dda15e', '#bc6c25'),
    ('#5f0f40', '#9a031e', '#fb8b24', '#e36414', '#0f4c5c'),
    ('#22223b', '#4a4e69', '#9a8c98', '#c9ada7', '#f2e9e4'),
    ('#7400b8', '#5e60ce', '#4ea8de', '#56cfe1', '#80ffdb'),
    ('#3d405b', '#e07a5f', '#f4f1de', '#81b29a', '#f2cc8f'),
    ('#2b2d42', '#8d99ae', '#edf2f4', '#ef233c', '#ffb703'))
# Upper and lower colour of the upper part, then of the lower part.
OUTDOORS = (('#8ecae6', '#e3f4fb', '#a7c957', '#6a994e'),
            ('#bde0fe', '#fff1e6', '#d4b483', '#c2a26d'),
            ('#ffcdb2', '#ffe8d6', '#b7b7a4', '#8f8f7e'),
            ('#5e7ce2', '#cfe0fb', '#c9cbd3', '#a3a7b5'),
            ('#37416b', '#e29578', '#5c6b73', '#3e4a52'),
            ('#cfd8dc', '#eceff1', '#e8eef2', '#c9d6df'))
INDOORS = (('#f2e9e4', '#e6d8cf', '#b08968', '#96704f'),
           ('#d8e2dc', '#c9d6cf', '#cdb4a0', '#b39a86'),
           ('#a3b9c9', '#bccdd9', '#7d6b5d', '#6b5a4e'),
           ('#e9c8c0', '#f1d9d2', '#9d8189', '#866b73'),
           ('#5c677d', '#7d8597', '#c8b6a6', '#a4937f'),
           ('#f7e1a0', '#faedc4', '#8a9b8e', '#74857a'))
WHITE, EYE_WHITE = (255, 255, 255), (250, 250, 250)

STYLES = ('short', 'short', 'bob', 'long', 'bun', 'tail', 'afro', 'cap',
          'bald')
# Long hair as (start, end, their radii), the points across and down the head.
LOCKS = dict(
    bob=((.2, 0), (.3, .75), 1.12, 1.05),
    long=((.2, 0), (.6, 2.2), 1.1, .85),
    tail=((1, -.3), (1.3, 1.9), .35, .2))
TUFTS = dict(bun=((.6, -1), .42), afro=((.2, -.15), 1.5))
PATTERNS = ('plain', 'plain', 'hoops', 'stripes', 'dots', 'yoke', 'band')
# Stripes of a shirt as (left, right, top, bottom), from the thorax.
STRIPES = dict(
    hoops=[(-.4, .4, y, y + .025) for y in np.arange(-.04, .4, .055)],
    stripes=[(x, x + .018, -.2, .5) for x in np.arange(-.2, .2, .05)],
    yoke=[(-.4, .4, -.2, .07)],
    band=[(-.4, .4, .12, .18)])
DOTS = [(x, y) for row, y in enumerate(np.arange(-.03, .35, .05))
        for x in np.arange(-.18, .18, .06) + .03 * (row % 2)]
LEG_RADII, ARM_RADII = (.056, .040, .026), (.036, .028, .021)

LIGHT = -0.35 - 0.35j  # where the light comes from, in radii
CIRCLE = np.exp(2j * np.pi * np.arange(24) / 24)
FRONT_ARC = np.exp(1j * np.linspace(-np.pi / 2, np.pi / 2, 10))


def _bgr(code):
    return tuple(int(code[i:i + 2], 16) for i in (5, 3, 1))


def _mix(colour, other, share):
    return tuple(c + (o - c) * share for c, o in zip(colour, other))


def _shade(colour, factor):
    return tuple(min(255., c * factor) for c in colour)


def _pick(rng, items):
    return items[rng.integers(len(items))]


def _palette(rng):
    return [_bgr(code) for code in _pick(rng, PALETTES)]


class Canvas:
    """A picture to paint on, kept at twice its size for smooth edges."""

    def __init__(self, height, width, channels=3):
        self.height, self.width = height, width
        self.pixels = np.zeros((2 * height, 2 * width, channels), np.uint8)

    def polygon(self, points, colour):
        # The middle of pixel p is the middle of pixels 2p and 2p + 1 here.
        points = np.asarray(points, np.complex128) * 2 + (0.5 + 0.5j)
        points = np.rint(points.view(np.float64) * 16).astype(np.int32)
        cv2.fillPoly(self.pixels, [points.reshape(-1, 2)], colour, shift=4)

    def box(self, left, top, right, bottom, colour):
        x = np.array([left, right, right, left])
        self.polygon(x + 1j * np.array([top, top, bottom, bottom]), colour)

    def ellipse(self, at, right, down, colour, begin=0):
        """An ellipse, or with `begin` 12 its upper half only."""
        points = CIRCLE[begin:]
        self.polygon(at + right * points.real + down * points.imag, colour)

    def circle(self, at, radius, colour):
        self.ellipse(at, radius, 1j * radius, colour)

    def ring(self, at, radius, colour):
        at = at * 2 + (0.5 + 0.5j)
        cv2.circle(self.pixels, (round(at.real), round(at.imag)),
                   round(2 * radius), colour, 1)

    def capsule(self, a, b, radius_a, radius_b, colour):
        along = (b - a) / abs(b - a) if a != b else 1
        ends = (b + radius_b * along * FRONT_ARC,
                a - radius_a * along * FRONT_ARC)
        self.polygon(np.concatenate(ends), colour)

    def bar(self, middle, half, radius, colour):
        self.capsule(middle - half, middle + half, radius, radius, colour)

    def limb(self, parts, colour, sharp=False):
        """Capsules of one colour with a lit side; `sharp` keeps the edges."""
        shade = _shade(colour, 0.80)
        for group in ([[p] for p in parts] if sharp else [parts]):
            for part in group:
                self.capsule(*part, shade)
            for a, b, radius_a, radius_b in group:
                self.capsule(a + LIGHT * radius_a * .5,
                             b + LIGHT * radius_b * .5, radius_a * .76,
                             radius_b * .76, colour)

    def ball(self, at, radius, colour):
        self.limb([(at, at, radius, radius)], colour)

    def hull(self, circles, colour):
        """The convex hull of circles (centre, radius)."""
        points = np.concatenate([at + r * CIRCLE for at, r in circles])
        points = points.view(np.float64).reshape(-1, 2).astype(np.float32)
        points = cv2.convexHull(points)[:, 0].astype(np.float64)
        self.polygon(points[:, 0] + 1j * points[:, 1], colour)

    def gradient(self, top, bottom, above, below):
        top, bottom = (int(np.clip(2 * y, 0, 2 * self.height))
                       for y in (top, bottom))
        if bottom > top:
            ramp = np.linspace(above, below, bottom - top).astype(np.uint8)
            # Much faster than NumPy's broadcasting.
            self.pixels[top:bottom] = cv2.resize(
                ramp[:, None], (2 * self.width, bottom - top),
                interpolation=cv2.INTER_NEAREST)

    def shadow(self, at, right, down, strength):
        """Darken a soft ellipse of half axes `right` and `down`."""

        def near(centre, radius, size):
            ends = np.clip([2 * (centre - radius), 2 * (centre + radius)], 0,
                           2 * size).astype(int)
            return slice(*ends), (np.arange(*ends) / 2 - centre) / radius

        columns, x = near(at.real, right, self.width)
        rows, y = near(at.imag, down, self.height)
        light = 1 - np.clip(1 - x**2 - y[:, None]**2, 0, 1) * strength
        region = self.pixels[rows, columns]
        region[:] = region * light[..., None]


# ------------------------------------------------------------------ figure


def draw_look(rng):
    """Clothes, skin, hair and build of a person."""
    palette = _palette(rng)
    top, bottom, second, shoes, _ = (
        palette[i] for i in rng.permutation(len(palette)))
    return dict(
        top=top,
        bottom=bottom,
        second=second,
        shoes=_pick(rng, (shoes, (40, 36, 34), (235, 235, 238))),
        skin=_bgr(_pick(rng, SKINS)),
        hair=_bgr(_pick(rng, HAIRS)),
        style=_pick(rng, STYLES),
        pattern=_pick(rng, PATTERNS),
        # How far the cloth reaches: 1 is the elbow or knee, 2 the end.
        sleeve=_pick(rng, (0, .55, .55, 1.4, 2, 2)),
        leg=_pick(rng, (.75, 1.1, 2, 2, 2)),
        skirt=rng.uniform() < .15,
        build=rng.uniform(.88, 1.25),
        glasses=rng.uniform() < .15,
        beard=rng.uniform() < .25,
        bag=rng.uniform() < .12)


def _segments(a, b, c, radii, share):
    """The capsules of limb a-b-c down to `share` (1: b, 2: c) of it."""
    parts = []
    for start, end, wide, thin, reach in (
        (a, b, radii[0], radii[1], min(share, 1)),
        (b, c, radii[1], radii[2], share - 1)):
        if reach > 0:
            parts.append((start, start + (end - start) * reach, wide,
                          wide + (thin - wide) * reach))
    return parts


def _paint_limb(canvas, points, unit, look, is_arm, dim):
    a, b, c, end = points
    cloth, share = (look[key] for key in (
        ('top', 'sleeve') if is_arm else ('bottom', 'leg')))
    skin, cloth = _shade(look['skin'], dim), _shade(cloth, dim)
    radii = [r * unit * look['build']
             for r in (ARM_RADII if is_arm else LEG_RADII)]
    tip = radii[2] * 1.1
    # The edge between the parts shows where the limb is bent.
    cos = ((b - a) * np.conj(c - b)).real / (abs(b - a) * abs(c - b) + 1e-6)
    sharp = cos < .3
    canvas.limb(_segments(a, b, c, radii, 2), skin, sharp)
    if is_arm:
        canvas.limb([(c, end, radii[2], tip)], skin)
    # Cloth is a little wider than what it covers.
    canvas.limb(_segments(a, b, c, [r * 1.12 for r in radii], share), cloth,
                sharp)
    if not is_arm:
        canvas.limb([(c + (end - c) * .1, end, tip * 1.15, tip)],
                    _shade(look['shoes'], dim))


def _paint_torso(canvas, p, unit, look, back):
    """Trousers' top or skirt, shirt with its pattern, and what is on it."""
    build = unit * look['build']
    waist = p['pelv'] * .6 + p['thor'] * .4
    down = (p['pelv'] - p['thor']) / (abs(p['pelv'] - p['thor']) + 1e-6)

    def at(across, along):
        return p['thor'] + unit * (across * (down * -1j) + along * down)

    hips = [(waist, .07 * build)]
    hips += [(p[name], .058 * build) for name in ('rhip', 'lhip')]
    if look['skirt']:
        hips += [(p[side + 'hip'] * .4 + p[side + 'kne'] * .6, .055 * build)
                 for side in 'rl']
    canvas.hull(hips, _shade(look['bottom'], .9))

    chest = [(p[side + 'sho'] + .012 * unit * down, .038) for side in 'rl']
    belly = [(p['pelv'] * .1 + p[side + 'hip'] * .9, .052) for side in 'rl']
    # All in the shade first, then the lit part.
    for size, shift, factor in ((1, 0, .8), (.8, LIGHT * .02 * unit, 1)):
        cloth, mask = (Canvas(canvas.height, canvas.width, channels)
                       for channels in (3, 1))
        cloth.box(-1, -1, canvas.width, canvas.height,
                  _shade(look['top'], factor))
        second = _shade(look['second'], factor)
        for left, right, top, bottom in STRIPES.get(look['pattern'], ()):
            across = np.array([left, right, right, left])
            along = np.array([top, top, bottom, bottom])
            cloth.polygon(at(across, along), second)
        if look['pattern'] == 'dots':
            for dot in DOTS:
                cloth.circle(at(*dot), .011 * unit, second)
        for part in (chest, belly):
            mask.hull([(c + shift, r * build * size)
                       for c, r in (*part, (waist, .08))], WHITE)
        cv2.copyTo(cloth.pixels, mask.pixels, canvas.pixels)

    dark = _shade(look['second'], .75)
    if not back:  # the neckline
        middle = p['thor'] * .5 + p['neck'] * .5
        canvas.capsule(middle, at(0, .035) * .6 + middle * .4, .036 * unit,
                       .016 * unit, _shade(look['skin'], .93))
    if look['bag'] and back:
        canvas.hull([(at(x, y), .04 * unit)
                     for x in (-.05, .05) for y in (.06, .2)], dark)
        canvas.capsule(at(-.045, .19), at(.045, .19), .03 * unit, .03 * unit,
                       _shade(look['second'], .95))
    elif look['bag']:
        for side in 'rl':
            strap = p[side + 'sho'] * .6 + p['thor'] * .4
            canvas.capsule(strap, strap + .17 * unit * down, .012 * unit,
                           .012 * unit, dark)


def head_ellipse(p, unit):
    """Centre of the head and its half axes to the right and down."""
    length = max(abs(p['neck'] - p['head']), .1 * unit)
    down = (p['neck'] - p['head']) / (abs(p['neck'] - p['head']) + 1e-6)
    return ((p['neck'] + p['head']) / 2, -1j * down * length * .39,
            down * length * .5)


def _paint_hair(canvas, p, unit, look, yaw):
    """Hair on the far side of the face; it covers the back of the others."""
    centre, right, down = head_ellipse(p, unit)
    width, style, hair = abs(right), look['style'], _shade(look['hair'], .88)

    def at(across, along):
        return centre + down * along - np.sin(yaw) * right * across

    if style in LOCKS:
        start, end, wide, thin = LOCKS[style]
        canvas.capsule(at(*start), at(*end), width * wide, width * thin, hair)
    elif style in TUFTS:
        middle, radius = TUFTS[style]
        canvas.circle(at(*middle), width * radius, hair)


def paint_head(canvas, p, unit, look, yaw):
    """Neck, skull, hair and whatever of the face looks at the viewer."""
    at, right, down = head_ellipse(p, unit)
    skin, hair, style = look['skin'], look['hair'], look['style']
    width, shaded = abs(right), _shade(skin, .86)
    ahead, facing = np.sin(yaw), np.cos(yaw)
    thin = 1 - .2 * abs(ahead)

    def spot(longitude, along):
        """A place on the head: its point, and how much it faces the viewer."""
        return (at + np.sin(yaw + longitude) * right * .92 + along * down,
                np.cos(yaw + longitude))

    canvas.capsule(p['thor'], at + down * .4, .032 * unit, .028 * unit, shaded)
    bald = style == 'bald'
    canvas.ellipse(at, right, down, shaded if bald else _shade(hair, .9))
    canvas.ellipse(at - .06 * right - .06 * down, right * .9, down * .9,
                   skin if bald else hair)
    if style in ('short', 'cap', 'bald', 'bun', 'tail'):
        for side in (-1, 1):
            ear, depth = spot(side * np.pi / 2, .12)
            if depth > -.35:
                canvas.ellipse(ear, right * .17, down * .2, shaded)
    if facing > -.2:
        face = at + right * ahead * .26 + down * .12
        canvas.ellipse(face, right * .88 * thin, down * .87, shaded)
        canvas.ellipse(face - .05 * right, right * .8 * thin, down * .83, skin)
        if look['beard'] and style in ('short', 'cap', 'bald'):
            canvas.ellipse(face + down * .52, right * .68 * thin, down * .36,
                           hair)
        if not bald:  # the fringe
            canvas.capsule(at - down * .62 - right * .45,
                           at - down * .60 + right * .45, width * .36,
                           width * .36, hair)
        for side in (-1, 1):
            eye, depth = spot(.42 * side, .06)
            if depth > .1:
                canvas.ellipse(eye, right * .15, down * .13, EYE_WHITE)
                canvas.ellipse(eye + right * .03 * ahead, right * .1,
                               down * .12, (45, 32, 28))
                canvas.bar(eye - down * .24, right * .13, width * .05,
                           _shade(hair, .7))
                if look['glasses']:
                    canvas.ring(eye, width * .26, (50, 40, 40))
        nose, depth = spot(0, .3)
        if depth > -.1:
            canvas.ellipse(nose + right * .1 * ahead, right * .12, down * .13,
                           _shade(skin, .84))
        mouth, depth = spot(0, .56)
        if depth > 0:
            canvas.ellipse(mouth, right * .25 * facing, down * .07,
                           (70, 60, 150))
    if style == 'cap':
        cloth = look['second']
        canvas.ellipse(at - .12 * down, 1.04 * right, .95 * down, cloth, 12)
        if facing > -.2:
            canvas.bar(at - down * .2 + right * ahead * .9,
                       right * .6 * (1 - .4 * abs(ahead)), width * .17,
                       _shade(cloth, .75))


def paint_figure(canvas, p, depths, unit, look, yaw, head_yaw):
    """Paint a person of a stature of `unit` pixels, the farthest parts first.

    The directions of body and head, `yaw` and `head_yaw`, are in radians.
    """
    middle = (depths['pelv'] + depths['thor']) / 2
    head = max(depths['head'], middle) + .02
    hair = head + .01 if np.cos(head_yaw) < -.2 else middle - .01
    parts = [(middle, _paint_torso, p, unit, look, np.cos(yaw) < 0),
             (head, paint_head, p, unit, look, head_yaw),
             (hair, _paint_hair, p, unit, look, head_yaw)]
    for side in 'rl':
        # Legs begin under the shirt, arms hang before what they touch.
        for names, is_arm, bias in (
            (('hip', 'kne', 'ank', 'toe'), False, -.09),
            (('sho', 'elb', 'wri', 'hand'), True, .04)):
            names = [side + name for name in names]
            depth = (depths[names[1]] + depths[names[2]]) / 2 + bias
            dim = .8 if depths[names[0]] < middle - .03 else 1
            parts.append((depth, _paint_limb, [p[name] for name in names],
                          unit, look, is_arm, dim))
    for _, paint, *arguments in sorted(parts, key=lambda part: part[0]):
        paint(canvas, *arguments)


# ------------------------------------------------------------------- scene


# Every thing stands at (x, base) and is about `size` high; all in pixels.


def _tree(canvas, rng, x, base, size, colour):
    foot, green = complex(x, base), _mix(colour, _bgr('#4f8a4c'), .65)
    canvas.capsule(foot, foot - .6j * size, size * .05, size * .035,
                   _bgr('#7a5540'))
    for at, radius in ((-.16 - .55j, .2), (.17 - .6j, .19), (-.8j, .24)):
        canvas.ball(foot + size * at, size * radius, green)


def _pine(canvas, rng, x, base, size, colour):
    green = _mix(colour, _bgr('#2f6b4f'), .7)
    canvas.box(x - size * .03, base - size * .2, x + size * .03, base,
               _bgr('#6b4a38'))
    for i in range(3):
        low, half = base - size * (.12 + .24 * i), size * (.24 - .05 * i)
        corners = np.array([-half, half, -.4j * size])
        canvas.polygon(complex(x, low) + corners, _shade(green, 1 - .1 * i))


def _building(canvas, rng, x, base, size, colour):
    wide, high = size * rng.uniform(.22, .4), size * rng.uniform(.8, 1.3)
    canvas.box(x - wide, base - high, x + wide, base, colour)
    pane = _mix(colour, _pick(rng, ((255, 250, 235), (110, 90, 70))), .45)
    for column in (-.7, -.2, .3):
        for row in range(int(high / size * 6)):
            top = base - high + size * (.08 + .15 * row)
            canvas.box(x + column * wide, top, x + (column + .35) * wide,
                       min(top + size * .09, base), pane)


def _bush(canvas, rng, x, base, size, colour):
    foot, green = complex(x, base), _mix(colour, _bgr('#6a994e'), .6)
    for at, radius in ((-.2 - .07j, .14), (.2 - .07j, .15), (-.1j, .2)):
        canvas.ball(foot + size * at, size * radius, green)


def _pole(canvas, rng, x, base, size, colour):
    """A pole or bent bar that could be taken for a limb."""
    foot = complex(x, base)
    top = foot + size * complex(rng.uniform(-.25, .25), rng.uniform(-1, -.5))
    canvas.limb([(foot, top, size * .03, size * .02)], colour)
    if rng.uniform() < .5:
        tip = top + size * complex(rng.uniform(-.3, .3), rng.uniform(-.05, .3))
        canvas.limb([(top, tip, size * .025, size * .02)], colour)
    if rng.uniform() < .4:
        canvas.circle(top, size * .06, _mix(colour, (210, 240, 255), .7))


def _ball(canvas, rng, x, base, size, colour):
    radius = size * rng.uniform(.07, .13)
    canvas.ball(complex(x, base - radius), radius, colour)


def _picture(canvas, rng, x, base, size, colour):
    """A window or a poster on the wall."""
    wide, high = size * rng.uniform(.12, .25), size * rng.uniform(.15, .3)
    y = base - size * rng.uniform(.6, 1)
    canvas.box(x - wide - 3, y - high - 3, x + wide + 3, y + high + 3,
               _mix(colour, WHITE, .75))
    canvas.box(x - wide, y - high, x + wide, y + high, colour)
    kind = rng.integers(3)
    if kind == 0:
        canvas.box(x - 1.5, y - high, x + 1.5, y + high, (245, 245, 245))
        canvas.box(x - wide, y - 1.5, x + wide, y + 1.5, (245, 245, 245))
    elif kind == 1:
        canvas.circle(x + 1j * y, min(wide, high) * .6,
                      _mix(colour, WHITE, .5))
    else:
        hill = np.array([-wide + 1j * high, -.4j * high, wide + 1j * high])
        canvas.polygon(complex(x, y) + hill, _shade(colour, .7))


def _plant(canvas, rng, x, base, size, colour):
    foot = complex(x, base)
    for angle in np.radians(rng.uniform(-60, 60, 7)):
        green = _shade(_bgr('#52a06a'), rng.uniform(.7, 1.1))
        tip = -.15j - .35j * np.exp(1j * angle)
        canvas.capsule(foot - .12j * size, foot + size * tip, size * .03,
                       size * .012, green)
    pot = np.array([-.09 - .16j, .09 - .16j, .06, -.06])
    canvas.polygon(foot + size * pot, colour)


def _crate(canvas, rng, x, base, size, colour):
    half = size * rng.uniform(.12, .2)
    top = base - 1.6 * half
    canvas.box(x - half, top, x + half, base, colour)
    canvas.box(x - half, top, x + half, top + .35 * half, _shade(colour, 1.15))
    canvas.box(x - half * .1, top, x + half * .1, base, _shade(colour, .8))


OUTDOOR_THINGS = (_tree, _tree, _pine, _building, _building, _bush, _pole,
                  _ball, _crate)
INDOOR_THINGS = (_picture, _picture, _picture, _plant, _pole, _ball, _crate)
FRONT_THINGS = (_bush, _plant, _crate, _pole)


def paint_scene(canvas, rng, horizon, size):
    """Sky and ground or wall and floor, with things standing about.

    Returns the palette of the scene.
    """
    outdoors = rng.uniform() < .55
    far, haze, near, front = (
        _bgr(code) for code in _pick(rng, OUTDOORS if outdoors else INDOORS))
    width = canvas.width
    canvas.gradient(0, horizon, far, haze)
    if outdoors:
        for _ in range(rng.integers(0, 3)):  # clouds
            at = complex(rng.uniform(0, width), rng.uniform(0, horizon * .5))
            for dx, radius in ((-.14, .06), (.14, .05), (0, .09)):
                canvas.ellipse(at + dx * size, size * radius * 1.6,
                               1j * size * radius, _mix(haze, WHITE, .6))
        if rng.uniform() < .5:
            hill = complex(rng.uniform(-.2, 1.2) * width, horizon + size * .2)
            canvas.ellipse(hill, size * 1.1, .6j * size, _mix(near, haze, .45))
    elif rng.uniform() < .4:  # wallpaper
        for x in np.arange(0, width, size * rng.uniform(.12, .3)):
            canvas.box(x, 0, x + 2, horizon, _shade(far, .93))
    canvas.gradient(horizon, canvas.height, near, front)
    if not outdoors:  # the skirting board
        canvas.box(-2, horizon - 4, width + 2, horizon, _mix(haze, WHITE, .5))

    palette = _palette(rng)
    for _ in range(rng.integers(3, 7)):
        thing = _pick(rng, OUTDOOR_THINGS if outdoors else INDOOR_THINGS)
        # Far things pale away into the background.
        colour = _mix(_pick(rng, palette), haze, rng.uniform(.2, .65))
        thing(canvas, rng,
              rng.uniform(-.05, 1.05) * width,
              horizon + size * rng.uniform(0, .08),
              size * rng.uniform(.6, 1.1), colour)
    return palette


def paint_stool(canvas, x, seat, ground, unit, colour):
    half, under = .13 * unit, seat + .05 * unit
    canvas.box(x - half, seat, x + half, under, colour)
    canvas.box(x - half * .85, under, x + half * .85, ground,
               _shade(colour, .75))


def paint_obstacle(canvas, rng, x, ground, unit, palette):
    """Something that stands in front of the person at x."""
    thing = _pick(rng, FRONT_THINGS)
    thing(canvas, rng, x + rng.uniform(-.3, .3) * unit,
          ground + rng.uniform(.01, .08) * unit, unit * rng.uniform(.5, .9),
          _pick(rng, palette))
