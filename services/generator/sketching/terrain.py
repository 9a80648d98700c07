"""Ridges and what they are covered with: the profiles of land, from far to near."""

from collections.abc import Callable

from services.generator.sketching.colour import Colour, luma, mix, shade
from services.generator.sketching.dice import TURN, Dice, sine
from services.generator.sketching.pen import Pen, Point, Sheet

STEPS = 128  # points of a ridge; even, so that every second one makes a coarser ridge

Ridge = list[int]  # heights above the layer's foot, per mille of its amplitude


def rolling(dice: Dice) -> Ridge:
    """Soft hills: three waves of unlike length."""
    waves = [
        (dice.between(30, 110), dice.between(0, TURN), 420),
        (dice.between(120, 230), dice.between(0, TURN), 230),
        (dice.between(300, 520), dice.between(0, TURN), 80),
    ]
    return [
        600
        + sum(
            sine(step * speed * TURN // (100 * STEPS) + phase) * high // TURN
            for speed, phase, high in waves
        )
        for step in range(STEPS + 1)
    ]


def jagged(dice: Dice) -> Ridge:
    """Mountains: peaks and saddles in turn, with broken edges between them."""
    corners, at, up = [(-dice.between(2, 14), dice.between(200, 500))], 0, True
    while at <= STEPS:
        at = corners[-1][0] + dice.between(9, 22)
        corners.append((at, dice.between(560, 1000) if up else dice.between(90, 430)))
        up = not up
    heights, index = [], 0
    for step in range(STEPS + 1):
        while corners[index + 1][0] <= step:
            index += 1
        (a, low), (b, high) = corners[index], corners[index + 1]
        rough = 0 if step in (a, b) else dice.between(-34, 34)
        heights.append(max(10, low + (high - low) * (step - a) // (b - a) + rough))
    return heights


def dunes(dice: Dice) -> Ridge:
    """Dunes: a long rise and a short fall, with a sharp edge."""
    crests, at = [(-dice.between(10, 30), 0)], 0
    while at < STEPS + 40:
        at += dice.between(26, 58)
        crests.append((at, dice.between(450, 1000)))
        at += dice.between(10, 20)
        crests.append((at, dice.between(80, 320)))
    heights, index = [], 0
    for step in range(STEPS + 1):
        while crests[index + 1][0] <= step:
            index += 1
        (a, low), (b, high) = crests[index], crests[index + 1]
        along = (step - a) * 1000 // (b - a)
        eased = along * along // 1000 if high > low else along * (2000 - along) // 1000
        heights.append(low + (high - low) * eased // 1000)
    return heights


def flat(dice: Dice) -> Ridge:
    """Nearly level ground."""
    phase, speed = dice.between(0, TURN), dice.between(40, 120)
    return [
        500 + sine(s * speed * TURN // (100 * STEPS) + phase) * 260 // TURN
        for s in range(STEPS + 1)
    ]


PROFILES: dict[str, Callable[[Dice], Ridge]] = {
    "hills": rolling,
    "meadow": rolling,
    "mountains": jagged,
    "volcano": jagged,
    "desert": dunes,
    "forest": rolling,
    "city": flat,
    "space": rolling,
}


class Land:
    """One layer of land: its outline in fine pixels and what stands on it."""

    def __init__(
        self, sheet: Sheet, ridge: Ridge, foot: int, amplitude: int, colour: Colour
    ) -> None:
        self.sheet, self.colour = sheet, colour
        self.xs = [step * sheet.width // STEPS for step in range(STEPS + 1)]
        self.ys = [foot - height * amplitude // 1000 for height in ridge]

    def y(self, x: int) -> int:
        """The height of the land at *x*."""
        along = min(max(x, 0), self.sheet.width - 1) * STEPS
        step, rest = divmod(along, self.sheet.width)
        return self.ys[step] + (self.ys[step + 1] - self.ys[step]) * rest // self.sheet.width

    @property
    def outline(self) -> list[Point]:
        return list(zip(self.xs, self.ys, strict=True))

    def draw(self, bottom: int) -> None:
        width = self.sheet.width
        self.sheet.polygon([*self.outline, (width, bottom), (0, bottom)], self.colour)

    def facets(self, dice: Dice, lit: Colour, drop: int, *, from_left: bool) -> None:
        """Light on the slopes that face the sun, fading down from the edge."""
        lower, depth = [], 0
        for step in range(STEPS + 1):
            rise = self.ys[max(0, step - 1)] - self.ys[step]
            faces = rise > 0 if from_left else rise < 0
            depth = depth * 82 // 100 + (abs(rise) * drop // 10 if faces else 0)
            lower.append((self.xs[step], self.ys[step] + depth * dice.between(92, 108) // 100))
        self.sheet.polygon([*self.outline, *reversed(lower)], lit, plain=True)

    def _peaks(self) -> list[int]:
        """The steps of the summits, away from the edges of the sheet."""
        reach = 6
        return [
            step
            for step in range(1, STEPS)
            if self.ys[step] == min(self.ys[max(0, step - reach) : step + reach + 1])
            and self.ys[step] < self.ys[step - 1]
        ]

    def faces(self, dice: Dice, lit: Colour, white: Colour | None, *, from_left: bool) -> None:
        """Each summit with a lit side, and snow on it where *white* is given."""
        way = -1 if from_left else 1
        for peak in self._peaks():
            slope, step = [(self.xs[peak], self.ys[peak])], peak
            while 0 < step < STEPS and self.ys[step + way] >= self.ys[step] - self.sheet.unit // 90:
                step += way
                slope.append((self.xs[step], self.ys[step]))
            high = slope[-1][1] - slope[0][1]
            if high < self.sheet.unit // 40 or len(slope) < 3:
                continue
            spine = self._spine(dice, slope[0], high, -way)
            self.sheet.polygon([*slope, *reversed(spine)], lit, plain=True)
            if white is not None:
                self._cap(dice, peak, high * dice.between(26, 40) // 100, white)

    def _spine(self, dice: Dice, top: Point, high: int, way: int) -> list[Point]:
        """The broken edge between a summit's light and its shadow."""
        x, y = top
        points = []
        for part in range(7):
            sway = high * dice.between(2, 9) // 100 * (1 if part % 2 else -1)
            points.append(
                (x + way * high * part * 3 // 100 + (sway if part else 0), y + high * part // 4)
            )
        return points

    def _cap(self, dice: Dice, peak: int, deep: int, white: Colour) -> None:
        line = self.ys[peak] + deep
        left = right = peak
        while left > 0 and self.ys[left] < line:
            left -= 1
        while right < STEPS and self.ys[right] < line:
            right += 1
        top = [(self.xs[step], self.ys[step]) for step in range(left, right + 1)]
        (ax, ay), (bx, by) = top[0], top[-1]
        teeth = max(3, (right - left) // 2) | 1
        hem = []
        for tooth in range(1, teeth):
            x = bx + (ax - bx) * tooth // teeth
            drop = deep * dice.between(10, 46) // 100
            hem.append((x, by + (ay - by) * tooth // teeth + (drop if tooth % 2 else -drop)))
        self.sheet.polygon([*top, *hem], white, plain=True)

    def shadow_side(self, dice: Dice, colour: Colour, bottom: int) -> None:
        """The lee of a dune: darker from each crest down to the right."""
        for step in range(2, STEPS - 2):
            if self.ys[step] < self.ys[step - 1] and self.ys[step] <= self.ys[step + 1]:
                self._lee(dice, step, colour, bottom)

    def _lee(self, dice: Dice, step: int, colour: Colour, bottom: int) -> None:
        end = step
        while end < STEPS and self.ys[end + 1] >= self.ys[end]:
            end += 1
        reach, x, y = self.xs[end] - self.xs[step], self.xs[step], self.ys[step]
        sway = dice.between(-30, 40)
        deep = min(bottom, y + reach * 5 // 2)
        curve = [
            (x + reach * sway * sine(k * TURN // 16) // (100 * TURN), y + (deep - y) * k // 8)
            for k in range(8, -1, -1)
        ]
        face = [(self.xs[k], self.ys[k]) for k in range(step, end + 1)]
        self.sheet.polygon([*face, *curve], colour, plain=True)

    def grasses(self, dice: Dice, colour: Colour, count: int) -> None:
        """Tufts along the edge."""
        high = self.sheet.unit // 90
        for _ in range(count):
            x = dice.between(0, self.sheet.width - 1)
            y, lean = self.y(x) + 2, dice.between(-high, high)
            tip = (x + lean, y - high - dice.between(0, high * 2))
            self.sheet.polygon(
                [(x - high // 5, y), tip, (x + high // 5 + 1, y)], colour, plain=True
            )

    def pines(self, dice: Dice, colour: Colour, high: int, percent: int) -> None:
        """A row of firs, *high* fine pixels each, give or take."""
        step = max(4, high * 34 // 100)
        for place in range(-step, self.sheet.width + step, step):
            if dice.chance(percent):
                x = place + dice.between(-step // 2, step // 2)
                size = high * dice.between(55, 120) // 100
                pine(Pen(self.sheet, x, self.y(x) + high // 12, size), colour)

    def hatched(self, dice: Dice, colour: Colour, depth: int) -> None:
        """Pen strokes down the slope, closer where it falls away from the light."""
        strokes: list[Point] = []
        width = max(1, self.sheet.unit // 900)
        for step in range(STEPS):
            fall = self.ys[step + 1] - self.ys[step]
            for part in range(3 if fall > 0 else 1):
                x = self.xs[step] + (self.xs[step + 1] - self.xs[step]) * part // 3
                y = self.ys[step] + fall * part // 3
                long = depth * dice.between(20, 100) // 100 * (3 if fall > 0 else 1) // 3
                strokes += [(x, y + 2), (x + long * 2 // 5, y + 2 + long)]
        self.sheet.hatch(strokes, colour, width)


def pine(pen: Pen, colour: Colour) -> None:
    """A fir in silhouette, in a colour that is already lit."""
    tiers = ((1000, 120), (720, 190), (420, 260))
    right: list[Point] = []
    for peak, wide in tiers:
        right += [(wide // 4, -peak + 30), (wide, -peak + 330)]
    right += [(30, -80), (30, 0)]
    left = [(-x, y) for x, y in reversed(right)]
    points = [pen.at(x, y) for x, y in [(0, -1060), *right, *left]]
    pen.sheet.polygon(points, colour)


def depth_colour(sheet: Sheet, layer: int, layers: int) -> Colour:
    """The land's colour from the farthest layer (0) to the nearest."""
    palette = sheet.palette
    far = mix(palette.haze, mix(palette.near, palette.sky[1], 45), 34)
    return mix(far, palette.near, 100 * layer // max(1, layers))


def sunlit(sheet: Sheet, colour: Colour, percent: int) -> Colour:
    """*colour* where the light falls on it."""
    if luma(colour) > 190:
        return shade(colour, percent)
    return mix(colour, sheet.palette.glow, percent)
