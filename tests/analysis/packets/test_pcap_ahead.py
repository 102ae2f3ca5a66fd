import threading

import pytest

from analysis.pcap.ahead import ahead


def test_items_come_in_order_and_all_of_them():
    assert list(ahead(range(100))) == list(range(100))
    assert list(ahead([])) == []


def test_the_next_item_is_made_while_one_is_used():
    begun = threading.Event()

    def items():
        yield 1
        begun.set()
        yield 2

    making = ahead(items())
    assert next(making) == 1
    assert begun.wait(60)
    assert next(making) == 2


def test_a_fault_is_raised_where_its_item_would_have_been():
    def items():
        yield 1
        raise OSError("the disk is gone")

    making = ahead(items())
    assert next(making) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(making)


def test_nothing_further_is_made_when_the_caller_stops():
    made = []

    def items():
        for number in range(100):
            made.append(number)
            yield number

    making = ahead(items())
    next(making)
    making.close()
    assert len(made) <= 2
