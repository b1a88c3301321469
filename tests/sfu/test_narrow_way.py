"""Where pictures wait for their turn: what is late gives way, and nothing is asked for twice."""

from __future__ import annotations

from rtp.congestion import Pacer, PacketClass
from sfu.budget import LinkBudget
from sfu.paced import Held
from tests.sfu.rig import MS, Rig, View, follow_each_other, frames, packet


def on_a_narrow_way(view: View, bps: int = 20_000) -> Pacer[Held]:
    """So narrow that everything waits for its turn."""
    budget = view.link.budget = LinkBudget()
    pacer = budget.pacer = Pacer(estimate_bps=bps)
    pacer.passes(100_000, PacketClass.AUDIO, 0)
    return pacer


def test_while_a_keyframe_waits_for_its_turn_no_other_is_asked_for() -> None:
    rig = Rig()
    view = rig.view()
    rig.receive(*frames(1, 1))
    pacer = on_a_narrow_way(view)
    rig.receive(*frames(4, 2, first_frame=1))
    assert view.consumer.keyframe_waits(rig.now_ns + 50 * MS)
    release(rig, view, pacer)
    rig.receive(packet(10, frame=3))
    assert not view.consumer.keyframe_waits(rig.now_ns + 1), "what waits now came after it"


def test_pictures_that_waited_for_long_give_way_to_a_keyframe_of_their_own() -> None:
    rig = Rig()
    view = rig.view()
    rig.receive(*frames(1, 1))
    pacer = on_a_narrow_way(view)
    late = frames(4, 3, first_frame=1)
    rig.receive(*late)
    rig.wait(100)
    rig.receive(packet(13, frame=4, key=True))
    assert pacer.queued_bytes > 400, "not yet"
    rig.wait(100)
    rig.receive(packet(14, frame=5), packet(15, frame=6, key=True), packet(16, frame=6))
    release(rig, view, pacer)
    assert [payload[-1] for payload in view.payloads] == [1, 2, 3, 15, 16]
    assert follow_each_other(view.numbers), "nobody shall ask for what was not sent"


def test_where_there_is_room_a_frame_leaves_in_datagrams_of_one_size() -> None:
    sizes = {}
    for gentle in (False, True):
        rig = Rig()
        view = rig.view()
        budget = view.link.budget = LinkBudget()
        budget.pacer = Pacer(estimate_bps=50_000_000)
        budget.pacer.set_estimate(50_000_000, gentle=gentle)
        frame = [packet(number, frame=0, key=number == 1) for number in range(1, 6)]
        for part, more in zip(frame, (20, 0, 0, 0, 0), strict=True):
            part.payload += bytes(more)
        rig.receive(*frame)
        sizes[gentle] = [len(datagram) for datagram in view.datagrams]
        assert view.payloads == [part.payload for part in frame]
    assert len(set(sizes[False][:-1])) == 1
    assert sum(sizes[True]) < sum(sizes[False]), "where there is little, nothing is added"


def release(rig: Rig, view: View, pacer: Pacer[Held]) -> None:
    """Everything that waits has its turn."""
    pacer.set_estimate(1_000_000_000)
    rig.wait(100)
    view.link.release(rig.now_ns)
    view.flush()
