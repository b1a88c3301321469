"""Whatever happens on the way, everybody ends with the server's drawings."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.document import Document
from annotation.replica import Replica
from core.annotations import Change, Mark, Operation, Redo, Undo
from core.errors import RemoteError
from core.messages import AnnotationsChanged, parse_server_message
from tests.annotation.drawing import ACTORS, START_US, Client, Numbers, some_operation, state_of

_number = st.integers(min_value=0, max_value=10_000)
_said = st.builds(Numbers, _number, _number, _number)
_happens = st.one_of(
    st.tuples(st.just("draw"), st.integers(0, 2), _said),
    st.tuples(st.sampled_from(["hear", "hear", "hear", "lose", "sync", "again", "twice", "back"]),
              st.integers(0, 3), _said),
)  # fmt: skip
_life = st.lists(_happens, max_size=120)


class Room:
    """A server, and people whose messages are late, lost, doubled."""

    def __init__(self) -> None:
        self.document = Document("ultrasound", "d_1")
        self.clients = [Client(actor) for actor in (*ACTORS, ACTORS[1])]
        self.history: list[Change] = []
        self.now_us = START_US
        for client in self.clients:
            client.sync(self.document)

    def happen(self, what: str, who: int, said: Numbers) -> None:
        client = self.clients[who]
        self.now_us += 1_000 * (said.how % 300)
        match what:
            case "draw":
                self._draw(client, said)
            case "hear":
                client.hear(self.document)
            case "lose":
                client.lose()
            case "sync":
                client.sync(self.document)
            case "again" if client.sent:
                op_id, operation = client.sent[said.which % len(client.sent)]
                self._submit(client, op_id, operation)
            case "twice" if client.coming:
                client.coming.insert(0, client.coming[said.which % len(client.coming)])
            case "back":
                self._go_back(client, said)

    def _draw(self, client: Client, said: Numbers) -> None:
        op_id = f"o{len(self.history)}.{len(client.sent)}.{client.actor.person}"
        operation = some_operation(self.document, client.actor, said, f"m{op_id}")
        client.sent.append((op_id, operation))
        self._submit(client, op_id, operation)

    def _submit(self, client: Client, op_id: str, operation: Operation) -> None:
        before = {m.mark_id: m for m in self.document.marks.values()}
        try:
            done = self.document.submit(op_id, operation, client.actor, self.now_us)
        except RemoteError:
            assert list(before.values()) == list(self.document.marks.values())
            return
        if done.change is None:
            return
        if not done.new:
            if client.connected:
                client.coming.append(done.change)
            return
        self.history.append(done.change)
        _touches_only_what_it_may(done.change, before, client)
        for other in self.clients:
            if other.connected:
                other.coming.append(done.change)

    def _go_back(self, client: Client, said: Numbers) -> None:
        """A page that was asleep: it comes with an old number, or with another document's."""
        old = Replica("d_0", said.which % 50)
        if said.how % 2:
            old = Replica("d_1")
            for change in self.history[: said.which % (len(self.history) + 1)]:
                assert old.apply("d_1", change)
        client.lose()
        client.replica = old
        client.sync(self.document)


def _touches_only_what_it_may(change: Change, before: dict[str, Mark], client: Client) -> None:
    """Undo and redo never touch somebody else's marks; nothing else but moderating and fading does."""
    person = client.actor.person
    faded = {
        mark.mark_id
        for mark in before.values()
        if mark.fade_after_ms is not None and mark.changed_us + 1_000 * mark.fade_after_ms <= change.at_us
    }
    assert all(mark.author == person for mark in change.put)
    for mark in change.put:
        assert mark.mark_id not in before or before[mark.mark_id].author == person
    if change.op in ("undo", "redo") or not client.actor.moderates:
        assert all(before[gone].author == person for gone in change.removed if gone not in faded)


@settings(max_examples=300)
@given(_life)
def test_any_interleaving_and_any_reconnect_gives_everybody_the_server_s_drawings(
    life: list[tuple[str, int, Numbers]],
) -> None:
    room = Room()
    for what, who, said in life:
        room.happen(what, who, said)
    for client in room.clients:
        while client.connected and client.coming:
            client.hear(room.document)
        if not client.connected:
            client.sync(room.document)
        assert state_of(client.replica) == state_of(room.document)


@settings(max_examples=150)
@given(_life)
def test_the_log_alone_gives_the_same_drawings_as_json_too(life: list[tuple[str, int, Numbers]]) -> None:
    room = Room()
    for what, who, said in life:
        room.happen(what, who, said)
    replayed = Replica("d_1")
    for change in room.history:
        sent = AnnotationsChanged(feed="ultrasound", document_id="d_1", changes=[change])
        heard = parse_server_message(sent.model_dump_json())
        assert replayed.apply(heard.document_id, heard.changes[0])
    assert state_of(replayed) == state_of(room.document)
    weight = sum(300 + 9 * (len(m.points) + len(m.pressures)) for m in room.document.marks.values())
    assert room.document.weight_bytes == weight
    assert [change.seq for change in room.history] == list(range(1, len(room.history) + 1))


@settings(max_examples=150)
@given(_life)
def test_undoing_everything_leaves_nothing_of_ones_own_and_all_of_the_others(
    life: list[tuple[str, int, Numbers]],
) -> None:
    room = Room()
    for what, who, said in life:
        if what == "draw" and said.what % 13 not in (1, 6):  # nothing fades here
            room.happen(what, who, said)
    document, actor = room.document, ACTORS[1]
    others = [mark for mark in document.marks.values() if mark.author != actor.person]
    drawn = [mark for mark in document.marks.values() if mark.author == actor.person]
    before, _ = document.steps(actor.person)
    for number in range(before):
        document.submit(f"u{number}", Undo(), actor, room.now_us)
    assert document.steps(actor.person)[0] == 0
    assert list(document.marks.values()) == others or not _all_steps_are_kept(before)
    for number in range(before):
        document.submit(f"r{number}", Redo(), actor, room.now_us)
    now = [mark.model_copy(update={"changed_us": 0}) for mark in document.marks.values()]
    then = [mark.model_copy(update={"changed_us": 0}) for mark in (*others, *drawn)]
    assert sorted(now, key=_id) == sorted(then, key=_id)


def _id(mark: Mark) -> str:
    return mark.mark_id


def _all_steps_are_kept(count: int) -> bool:
    return count < 100
