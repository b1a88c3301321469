"""Pure: which layer of every picture one subscriber gets, when not all of them fit.

Everything to be had is a list of goals in the order of their worth: "this picture at least in that layer".
Sound comes before all of them. From the first goal to the last, each one that still fits is taken; so with
more to spend the first difference is always for the better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from core.clock import NS_PER_S

UNLIMITED_BPS: Final = 1 << 40
UP_MARGIN: Final = 1.15
"""What is not sent yet has to fit with so much to spare: estimates are noisy."""
UP_AFTER_NS: Final = 2 * NS_PER_S
"""A picture that was lowered by the network stays so for a while: the estimate has to show the effect."""
UP_AGAIN_NS: Final = 1 * NS_PER_S
"""Where a picture has just become better, the next step up may come sooner."""
LEAST_BPS: Final = 1_000_000
"""A smallest layer that costs no more is not given up for an estimate where it is all there is to see."""
COVERS: Final = 0.85
"""A layer with so much of the pixels shown is large enough: nobody sees the difference."""


class Rank(IntEnum):
    """What a track is, the most precious first."""

    AUDIO = 0
    DEVICE = 1
    SCREEN = 2
    ROOM = 3
    FACE = 4


class LayerOption(NamedTuple):
    """A layer that can be had. `pixels`: of a frame, 0 while unknown."""

    rid: str | None
    bitrate_bps: int
    pixels: int = 0


class Demand(NamedTuple):
    """A track of the subscriber. `shown_pixels` 0: it is not shown."""

    track_id: str
    rank: Rank
    layers: tuple[LayerOption, ...]
    shown_pixels: int = 0
    focus: bool = False


class Choice(NamedTuple):
    """What one picture gets. `best`: what the shown size wants, None when there is no layer at all."""

    option: LayerOption | None
    best: LayerOption | None
    changed_ns: int = 0

    @property
    def lowered(self) -> bool:
        """True when less fits than the shown size wants."""
        return self.option != self.best


class Allocation(NamedTuple):
    """`choices`: track id → choice, for every track but sound, which is always sent. `total_bps`: of all."""

    choices: Mapping[str, Choice]
    total_bps: int

    @property
    def satisfied(self) -> bool:
        """True when every picture gets what its shown size wants."""
        return not any(choice.lowered for choice in self.choices.values())


class Goal(NamedTuple):
    """`step`: which of the track's goals, from 0. `cost_bps`: more than the one before it."""

    track_id: str
    step: int
    option: LayerOption
    cost_bps: int


def allocate(
    budget_bps: int, demands: Sequence[Demand], current: Allocation | None = None, now_ns: int = 0
) -> Allocation:
    """The best set of layers that fits `budget_bps`, sound included.

    Sound is sent even where it alone is more. What `current` has goes on while it fits; what it has not needs
    `UP_MARGIN`, and `UP_AFTER_NS` since its picture was lowered (`UP_AGAIN_NS` since it rose), unless it was
    the viewer who changed it.
    """
    used_bps = sum(layer.bitrate_bps for demand in demands for layer in _audio(demand))
    pictures = {demand.track_id: demand for demand in demands if demand.rank is not Rank.AUDIO}
    wanted = {track_id: useful_layers(demand) for track_id, demand in pictures.items()}
    before = {track_id: _Before.of(track_id, wanted[track_id], current, now_ns) for track_id in pictures}
    up_bps = int(budget_bps / UP_MARGIN) if current is not None else budget_bps
    taken = dict.fromkeys(pictures, 0)
    for track_id, step, _, cost_bps in goals(demands):
        held, locked = before[track_id]
        limit_bps = budget_bps if step < held else 0 if locked else up_bps
        if step == taken[track_id] and used_bps + cost_bps <= limit_bps:
            taken[track_id] += 1
            used_bps += cost_bps
    choices = {
        track_id: _choice(wanted[track_id], taken[track_id], current, track_id, now_ns)
        for track_id in pictures
    }
    return Allocation(choices, used_bps)


def least_bps(demands: Sequence[Demand]) -> int:
    """What goes out whatever an estimate says: sound, and the smallest layer of the worthiest picture.

    0 where that picture cannot be had for `LEAST_BPS`.
    """
    first = next(iter(goals(demands)), None)
    if first is None or first.cost_bps > LEAST_BPS:
        return 0
    return first.cost_bps + sum(layer.bitrate_bps for demand in demands for layer in _audio(demand))


class _Before(NamedTuple):
    """`held`: how many steps a picture has been given. `locked`: it may not go up yet."""

    held: int
    locked: bool

    @classmethod
    def of(
        cls, track_id: str, layers: Sequence[LayerOption], current: Allocation | None, now_ns: int
    ) -> _Before:
        choice = None if current is None else current.choices.get(track_id)
        if choice is None:
            return cls(0, False)
        held = 0
        if choice.option is not None:
            rids = [layer.rid for layer in layers]
            held = rids.index(choice.option.rid) + 1 if choice.option.rid in rids else 1
        same_wish = bool(layers) and choice.best is not None and choice.best.rid == layers[-1].rid
        return cls(held, same_wish and now_ns - choice.changed_ns < UP_AFTER_NS)


def _choice(
    layers: Sequence[LayerOption], taken: int, current: Allocation | None, track_id: str, now_ns: int
) -> Choice:
    option = layers[taken - 1] if taken else None
    best = layers[-1] if layers else None
    old = None if current is None else current.choices.get(track_id)
    if old is None:
        return Choice(option, best, now_ns - UP_AFTER_NS)
    if _rid(old.option) == _rid(option):
        return Choice(option, best, old.changed_ns)
    rose = option is not None and (old.option is None or option.bitrate_bps > old.option.bitrate_bps)
    return Choice(option, best, now_ns - (UP_AFTER_NS - UP_AGAIN_NS if rose else 0))


def _rid(option: LayerOption | None) -> tuple[str | None, ...]:
    return () if option is None else (option.rid,)


def _audio(demand: Demand) -> Sequence[LayerOption]:
    return demand.layers[-1:] if demand.rank is Rank.AUDIO else ()


def useful_layers(demand: Demand) -> list[LayerOption]:
    """From the cheapest to the one that covers what is shown; a layer that costs more and shows less is none.

    What is not shown is content with the cheapest.
    """
    useful: list[LayerOption] = []
    for layer in sorted(demand.layers, key=lambda layer: (layer.bitrate_bps, -layer.pixels, layer.rid or "")):
        if useful and (not demand.shown_pixels or 0 < layer.pixels <= useful[-1].pixels):
            continue
        useful.append(layer)
        if layer.pixels and layer.pixels >= demand.shown_pixels * COVERS:
            break
    return useful


def goals(demands: Sequence[Demand]) -> list[Goal]:
    """All that could be sent besides sound, the worthiest first."""
    ordered = sorted((demand for demand in demands if demand.rank is not Rank.AUDIO), key=_worth)
    found: list[Goal] = []
    group: list[Demand] = []
    for demand in ordered:
        if group and _group(demand) != _group(group[-1]):
            found += _interleaved(group)
            group = []
        group.append(demand)
    return found + _interleaved(group)


def _group(demand: Demand) -> tuple[bool, Rank]:
    """Pictures among which nobody goes without its smallest layer so that another is better still.

    The picture in focus is one of the devices'.
    """
    return not demand.shown_pixels, Rank.DEVICE if _in_focus(demand) else demand.rank


def _in_focus(demand: Demand) -> bool:
    return demand.focus and demand.shown_pixels > 0


def _worth(demand: Demand) -> tuple[bool, Rank, bool, Rank, int, str]:
    hidden, group = _group(demand)
    return hidden, group, not _in_focus(demand), demand.rank, -demand.shown_pixels, demand.track_id


def _interleaved(group: Sequence[Demand]) -> list[Goal]:
    """Picture after picture, but each one's smallest layer as early as those before it allow."""
    found: list[Goal] = []
    for demand in group:
        chain = _chain(demand)
        if chain:
            found.insert(_earliest(found, chain[0].cost_bps), chain[0])
            found += chain[1:]
    return found


def _chain(demand: Demand) -> list[Goal]:
    chain: list[Goal] = []
    spent_bps = 0
    for step, layer in enumerate(useful_layers(demand)):
        chain.append(Goal(demand.track_id, step, layer, layer.bitrate_bps - spent_bps))
        spent_bps = layer.bitrate_bps
    return chain


def _earliest(found: Sequence[Goal], cost_bps: int) -> int:
    """Where among worthier pictures' goals a smallest layer of that cost may come.

    Behind each smallest layer, and so that of each picture the next goal after it costs at least as much:
    then whoever cannot afford the newcomer could not have afforded that goal either, and a picture is never
    worse for there being more to spend.
    """
    best = len(found)
    next_costs: dict[str, int] = {}
    cheaper = 0
    for index in range(len(found) - 1, -1, -1):
        goal = found[index]
        if goal.step == 0:
            break
        cheaper += (goal.cost_bps < cost_bps) - (next_costs.get(goal.track_id, cost_bps) < cost_bps)
        next_costs[goal.track_id] = goal.cost_bps
        if not cheaper:
            best = index
    return best
