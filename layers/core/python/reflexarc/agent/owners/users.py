"""Names of users from the host's own file: no name service, which may hang on a broken network."""

from dataclasses import dataclass, field
from pathlib import Path

from reflexarc.agent.owners.bounded import first_bytes, printable

PASSWD = Path("/etc/passwd")
_FILE_MAX = 4 << 20
_NAME, _UID = 0, 2


@dataclass(slots=True)
class Users:
    """Knows the users of /etc/passwd, read again when it changes."""

    path: Path = PASSWD
    _mtime: int = -1
    _names: dict[int, str] = field(default_factory=dict)

    def name_of(self, uid: int) -> str:
        """Return the user's name, nothing where only a directory service knows it."""
        try:
            mtime = self.path.stat().st_mtime_ns
        except OSError:
            return self._names.get(uid, "")
        if mtime != self._mtime:
            self._names = _parsed(first_bytes(self.path, _FILE_MAX).decode("utf-8", "replace"))
            self._mtime = mtime
        return self._names.get(uid, "")


def _parsed(text: str) -> dict[int, str]:
    names: dict[int, str] = {}
    for line in text.splitlines():
        columns = line.split(":")
        if len(columns) > _UID and columns[_UID].isascii() and columns[_UID].isdigit():
            names.setdefault(int(columns[_UID][:10]), printable(columns[_NAME]))
    return names
