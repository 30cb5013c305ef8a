"""What a backend may have against a request, beside what the kernel's errors say."""

from reflexarc.kernel.errors import Rejected


class TooLarge(Rejected):
    """The backend never takes this request, but may take less at a time."""
