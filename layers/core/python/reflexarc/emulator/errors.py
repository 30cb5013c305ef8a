"""What can go wrong with the lane itself, as opposed to the product running in it."""

from reflexarc.kernel.errors import Unavailable


class LaneUnavailable(Unavailable):
    """A part of the lane is missing or did not start; the message says what to do."""
