"""Confirming an e-mail address by a mailed link: a candidate's new one, or that of an application for an account."""

from datetime import date

from models.application import application_of
from models.viewer import Viewer
from resolvers import applications, details


async def confirm(viewer: Viewer, token: str) -> date | None:
    """Confirm the address that the link was mailed to; for an application, the day by which it is to be decided.

    Raises LinkNotValid.
    """
    if application_id := application_of(token):
        return await applications.confirm_email(viewer, application_id)
    await details.confirm_email(viewer, token)
    return None
