"""Fills actions.ports.SigningSecret from the Slack secret."""

from dataclasses import dataclass

from reflexarc.adapters.secrets.secret import Secret
from reflexarc.adapters.slack.secret import SlackSecret
from reflexarc.kernel.errors import Unavailable


@dataclass(frozen=True, slots=True)
class SlackSigningSecret:
    """The signing secret of the Slack app; the buttons are refused while there is none."""

    secret: Secret[SlackSecret]

    def current(self) -> str:
        """Return the signing secret; raises Unavailable, with what to do, while there is none."""
        signing = _of(self.secret.current())
        if not signing:
            # Somebody may have just put it there.
            signing = self.renewed() or ""
        if not signing:
            raise Unavailable(
                "the Slack secret holds no signing_secret (Basic Information of the app, at "
                f"https://api.slack.com/apps): {self.secret.advice}"
            )
        return signing

    def renewed(self) -> str | None:
        """Return a newer signing secret, read at most once a minute."""
        renewed = self.secret.renewed()
        return (_of(renewed) or None) if renewed is not None else None


def _of(secret: SlackSecret) -> str:
    return secret.signing_secret.get_secret_value().strip()
