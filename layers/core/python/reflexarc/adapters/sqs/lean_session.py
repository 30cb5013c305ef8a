"""A botocore session that forgets the endpoints of services that an agent never calls.

botocore keeps the endpoints of every AWS service for as long as a client lives: 7 MiB, an eighth of
an agent. https://github.com/boto/botocore/blob/develop/botocore/data/endpoints.json
"""

from pathlib import PurePath
from typing import Any

import botocore.session
from botocore.loaders import JSONFileLoader, Loader

# The queue, and what the ways to credentials call.
_CALLED = ("sqs", "sts", "sso", "portal.sso", "oidc", "signin")


class _LeanFiles(JSONFileLoader):
    """Reads botocore's data files, and of the endpoints keeps those that may be called."""

    def load_file(self, file_path: str) -> Any:
        """Return what a file holds."""
        data = super().load_file(file_path)
        if PurePath(file_path).name == "endpoints" and isinstance(data, dict):
            for partition in data.get("partitions", ()):
                services = partition.get("services", {})
                partition["services"] = {
                    name: services[name] for name in _CALLED if name in services
                }
        return data


def lean_session() -> botocore.session.Session:
    """Return a session of the standard credential chain, without what an agent never uses."""
    session = botocore.session.get_session()
    session.register_component("data_loader", Loader(file_loader=_LeanFiles()))
    return session
