"""Every error this package raises, split by what the caller must do.

* ReflexError
  x Rejected       the input can never succeed: do not retry, keep it with its reason
  x Unavailable    a dependency failed: retry the same input later
    + RateLimited  the dependency named the time after which it will listen again
    + Ambiguous    the call may or may not have taken effect: look before repeating it
    + Unreadable   what is stored is of a version that knows more: go on with everything else
"""

from datetime import timedelta


class ReflexError(Exception):
    """Base class of every error that reflexarc raises on purpose."""


class Rejected(ReflexError):
    """The input can never succeed, so retrying it is pointless; the message says why."""


class Unavailable(ReflexError):
    """A dependency failed; the same input may succeed later."""


class RateLimited(Unavailable):
    """The dependency refused for now and said when to come back."""

    def __init__(self, message: str, retry_after: timedelta) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unreadable(Unavailable):
    """A stored document makes no sense to this version: it waits for one that can read it."""


class Ambiguous(Unavailable):
    """The request left us, its answer did not arrive: it may have taken effect."""
