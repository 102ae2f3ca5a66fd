"""In what order, and how many at once.

`one_by_one` is the strictly sequential order of the plan. `side_by_side` gives each
device a thread of its own: trials of different devices overlap where they share no
instrument (arbiter.py), those of one device keep their order and never overlap.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

from testbed.clock import Clock
from testbed.model.plan import PlannedTrial
from testbed.runner.stop import Stop, StoppedError
from testbed.runner.trials.course import Course

_ACT_S = 4.0  # guess at the time a stimulus takes, beside its window and rest
_POLL_S = 0.2  # how soon Ctrl-C is seen
_LEAVE_S = 20.0  # how long threads get to leave: above every deadline of a driver


def one_by_one(
    course: Course,
    trials: Sequence[PlannedTrial],
    *,
    clock: Clock,
    stop: Stop,
    origin_ns: int,
    tend: Callable[[], None] = lambda: None,
) -> None:
    """Do the trials in the order of the plan; raises StoppedError.

    tend  called after each wait for the time of a trial: hours may have passed, and
          the clock must be known when it begins
    """
    for trial in trials:
        if trial.not_before_s is not None:
            _wait_for_time(trial, clock, stop, origin_ns)
            tend()
        stop.check()
        course.do(trial)


def side_by_side(
    course: Course,
    trials: Sequence[PlannedTrial],
    *,
    clock: Clock,
    stop: Stop,
    origin_ns: int,
) -> None:
    """Do the trials, those of different devices at the same time.

    Raises StoppedError after a stop, or the first thing that a thread raised.
    """
    queues: dict[str, list[PlannedTrial]] = {}
    for trial in trials:
        queues.setdefault(trial.device, []).append(trial)

    def work(queue: Sequence[PlannedTrial]) -> None:
        for trial, left_s in zip(queue, _left_s(queue), strict=True):
            _wait_for_time(trial, clock, stop, origin_ns)
            course.do(trial, rank=-left_s)

    pool = ThreadPoolExecutor(max(1, len(queues)), thread_name_prefix="device")
    try:
        running = [pool.submit(work, queue) for queue in queues.values()]
        _attend(running, stop)
    finally:
        # Without waiting: after a second Ctrl-C an instrument may still be busy.
        pool.shutdown(wait=False, cancel_futures=True)
    stop.check()


def _attend(running: Sequence[Future[None]], stop: Stop) -> None:
    """Return when all are done; raise the first thing that one of them raised."""
    left: set[Future[None]] = set(running)
    while left:
        done, left = wait(left, timeout=_POLL_S, return_when=FIRST_EXCEPTION)
        for future in done:
            failure = future.exception()
            if failure is not None and not isinstance(failure, StoppedError):
                stop.request(f"the testbed failed: {failure}")
                wait(left, timeout=_LEAVE_S)
                raise failure


def _left_s(queue: Sequence[PlannedTrial]) -> list[float]:
    """Return the seconds that each trial and those after it will take at least."""
    left: list[float] = []
    total = 0.0
    for trial in reversed(queue):
        total += trial.rest_s + trial.delta_s + _ACT_S
        left.append(total)
    return left[::-1]


def _wait_for_time(
    trial: PlannedTrial, clock: Clock, stop: Stop, origin_ns: int
) -> None:
    if trial.not_before_s is not None:
        due_ns = origin_ns + round(trial.not_before_s * 1e9)
        stop.sleep(clock, (due_ns - clock.now_ns()) / 1e9)
    stop.check()
