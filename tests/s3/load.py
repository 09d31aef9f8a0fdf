"""What waiting costs, and how those who wait spread: the short form of tests/bench/load, with bounds that hold on a busy machine too."""

from cloud import Cloud
from polling import ONLY_OTHERS, gather, measure_poll
from tap import expect, main


def setup():
    return Cloud()


def expect_cheap(poll):
    expect(poll.calls <= 40, True, f"{poll.calls} system calls for a poll")
    expect(poll.connections, 1, "connections")
    expect(poll.memory < 12 * 1024, True, f"{poll.memory} KiB")
    expect(poll.cpu < 1500, True, f"{poll.cpu} us of CPU for a poll")


def test_a_poll_of_what_is_not_there_is_cheap(cloud):
    expect_cheap(measure_poll(cloud, 6))


def test_a_poll_that_is_denied_is_as_cheap(cloud):
    expect_cheap(measure_poll(cloud.role(ONLY_OTHERS), 6))


def test_sixty_wait_and_none_fails_nor_misses_what_comes(cloud):
    crowd = gather(cloud, 60, 8)
    expect(crowd.failed, [])
    expect(crowd.mean > 4, True, f"{crowd.mean} polls in a tenth of a second")
    expect(max(crowd.counts) <= 30, True, f"polls in step: {crowd.counts}")
    expect(crowd.seen <= 2500, True, f"99 % saw it within {crowd.seen} ms")


if __name__ == "__main__":
    main(globals())
