"""Exactly one of all copies of a message sends the next one, so a sequence neither ends nor multiplies."""

import random

import pytest

from shared.errors import Unavailable
from shared.messaging.sequence import MessageSequences, SequenceState
from tests.fakes import MemoryRecords, MemoryStore, ProcessKilled, StoreClient

LINE = ("r1", "3")


class Line:
    """One sequence of messages: the numbers that were sent, and the sequences of a process."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.sent: list[int] = []
        self.sequences = self.process()

    def process(self, client: StoreClient | None = None) -> MessageSequences:
        return MessageSequences(
            MemoryRecords[SequenceState](client or StoreClient(self.store), "turns")
        )

    def handle(self, number: int | None, sequences: MessageSequences | None = None) -> None:
        sequence = (sequences or self.sequences).take(*LINE, number)
        if sequence is not None:
            sequence.send_next(self.sent.append)


def test_a_message_sequence_continues_while_it_is_passed_on() -> None:
    line = Line()
    line.handle(None)
    for _ in range(5):
        line.handle(line.sent[-1])
    assert line.sent == [1, 2, 3, 4, 5, 6]


def test_duplicated_messages_stay_one_sequence() -> None:
    line = Line()
    messages: list[int | None] = [None]
    for _ in range(100):
        message = messages.pop(0)
        for _ in range(2):
            before = len(line.sent)
            line.handle(message)
            messages += line.sent[before:]
    assert len(messages) == 1
    assert line.sent == list(range(1, 101))


def test_of_simultaneous_copies_of_a_message_one_continues() -> None:
    line = Line()
    sequences = [line.sequences.take(*LINE, None) for _ in range(10)]
    for sequence in sequences:
        assert sequence is not None
        sequence.send_next(line.sent.append)
    assert line.sent == [1]


def test_a_message_without_a_number_continues_as_one_sequence() -> None:
    line = Line()
    for number in (None, 1, 2):
        line.handle(number)
    line.handle(None)  # set going by the watch
    line.handle(3)  # the message that was there still
    assert line.sent == [1, 2, 3, 4]
    line.handle(4)
    assert line.sent == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("at", [1, 2])
def test_a_killed_process_is_replaced_by_the_next_delivery_of_the_message(
    at: int, applied: bool
) -> None:
    line = Line()
    line.handle(None)
    with pytest.raises(ProcessKilled):
        line.handle(1, line.process(StoreClient(line.store, at, applied=applied)))

    line.handle(1)

    assert line.sent[-1] == 2
    for _ in range(3):
        line.handle(line.sent[-1])
    assert line.sent[-1] == 5
    assert len(line.sent) <= 6  # at worst one message twice


def test_an_unavailable_queue_does_not_break_the_sequence() -> None:
    line = Line()

    def away(_: int) -> None:
        raise Unavailable("storageNoAnswer", resource="fake", error="Lost")

    sequence = line.sequences.take(*LINE, None)
    assert sequence is not None
    with pytest.raises(Unavailable):
        sequence.send_next(away)

    line.handle(0)

    assert line.sent == [1]


@pytest.mark.parametrize("seed", range(20))
def test_duplicated_late_or_unordered_messages_neither_end_nor_multiply_a_sequence(
    seed: int,
) -> None:
    dice = random.Random(seed)
    line = Line()
    waiting: list[int | None] = [None]
    for _ in range(500):
        message = waiting.pop(dice.randrange(len(waiting)))
        copies = dice.choice((1, 1, 2, 3))
        taken = [line.sequences.take(*LINE, message) for _ in range(copies)]
        before = len(line.sent)
        for sequence in taken:
            if sequence is not None:
                sequence.send_next(line.sent.append)
        waiting += line.sent[before:]
        if dice.random() < 0.1:
            waiting.append(dice.choice((None, message)))
        assert waiting
    assert len(waiting) < 30
    assert len(set(line.sent)) > 100
