"""The post: the only place from which mail leaves, over SMTP, or into a folder where no server is set."""

from typing import Protocol

from mailers.letters import Mail
from mailers.post.answers import AddressRefused, Refused, ServerAway, TryLater
from mailers.post.folder import Folder
from mailers.post.server import Server
from mailers.post.signing import signer_of
from settings import Settings

__all__ = ["AddressRefused", "Folder", "Post", "Refused", "Server", "ServerAway", "TryLater", "post_of"]


class Post(Protocol):
    """What takes mails; many tasks may send at once."""

    async def send(self, mail: Mail) -> None:
        """Hand over one mail.

        Raises TryLater (ServerAway where no mail would be taken now) or Refused (AddressRefused where no mail to that
        address ever will be).
        """

    async def close(self) -> None:
        """Wait for mails under way, and let go of what is kept between mails."""


def post_of(settings: Settings) -> Post:
    """The post that these settings ask for; raises ValueError with the name of the variable that cannot be used."""
    signer = signer_of(settings)
    if settings.smtp_url is None:
        return Folder(settings.var / "mail", settings.mail_from, signer)
    return Server(settings.smtp_url, settings.mail_from, signer=signer, ca=settings.smtp_ca)
