"""What single examples of the developers' page need for themselves, and use up."""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any

from models.download import DownloadRow
from models.invitation import invitation_token
from models.session import EmailChange, PasswordReset, email_change_token, reset_token, verifier_link_token
from models.share import Share
from models.template import DownloadFormat, DownloadTemplate
from models.verifier import VerifierStatus, VerifierUser
from models.viewer import Kind
from resolvers import corrections, password_links, sandboxes, templates
from resolvers.corrections import Order
from schema.ids import global_id
from tests.showing import Cast, Filled, Words
from tests.sitting_props import OWN_OF_SITTINGS
from tests.world import gid
from transport.developers.examples import Example


async def _somebody(cast: Cast) -> Words:
    """A candidate who may be gone afterwards."""
    candidate = await cast.world.candidate()
    await cast.world.entry(candidate)
    return {"token": await cast.world.token(candidate)}


async def _verifier(cast: Cast) -> Words:
    return {"YOUR_EMAIL": (await cast.world.verifier(cast.institution)).email}


async def _staff(cast: Cast) -> Words:
    return {"YOUR_EMAIL": cast.newcomer.email}


async def _unclaimed(cast: Cast) -> Words:
    entry = await cast.world.entry(await cast.world.candidate(registered=False), claimed_at=None)
    return {"YOUR_ID_NUMBER": entry.id_number, "YOUR_UNCLAIMED_ENTRY_ID": gid(entry)}


async def _reset(cast: Cast) -> Words:
    reset = await PasswordReset.create(candidate_id=(await cast.world.candidate()).id, asked_at=cast.world.clock())
    return {"YOUR_RESET_TOKEN": reset_token(reset.id)}


async def _new_address(cast: Cast) -> Words:
    asked: dict[str, Any] = {"new_email": cast.email(), "asked_at": cast.world.clock()}
    change = await EmailChange.create(candidate_id=(await cast.world.candidate()).id, **asked)
    return {"YOUR_CONFIRMATION_TOKEN": email_change_token(change.id)}


async def _newcomer(cast: Cast) -> VerifierUser:
    return await cast.world.verifier(cast.institution, status=VerifierStatus.INVITED, password_hash=None)


async def _first_password(cast: Cast) -> Words:
    link_id = await password_links.invite((await _newcomer(cast)).id, cast.world.clock())
    return {"YOUR_PASSWORD_TOKEN": verifier_link_token(link_id)}


async def _invited(cast: Cast) -> Words:
    return {"YOUR_INVITED_USER_ID": gid(await _newcomer(cast))}


async def _invitation(cast: Cast) -> Words:
    return {"YOUR_INVITATION_TOKEN": invitation_token((await cast.world.invitation()).id)}


async def _own_share(cast: Cast) -> Words:
    result = await cast.world.result(await cast.world.entry(cast.candidate))
    return {"YOUR_SHARE_ID": str(global_id("Share", await cast.world.share(result, cast.institution)))}


async def _own_result(cast: Cast) -> Words:
    return {"YOUR_RESULT_ID": gid(await cast.world.result(await cast.world.entry(cast.candidate)))}


async def _user(cast: Cast) -> Words:
    return {"YOUR_USER_ID": gid(await cast.world.verifier(cast.institution))}


async def _primary(cast: Cast) -> Words:
    """Of an institution whose Primary User may be another one afterwards."""
    institution = await cast.world.institution()
    primary = await cast.world.verifier(institution)
    return {"token": await cast.world.token(primary), "YOUR_USER_ID": gid(await cast.world.verifier(institution))}


async def _join_request(cast: Cast) -> Words:
    return {"YOUR_JOIN_REQUEST_ID": gid(await cast.world.join_request(cast.institution))}


async def _institution(cast: Cast) -> Words:
    return {"YOUR_INSTITUTION_ID": gid(await cast.world.institution())}


async def _suspended(cast: Cast) -> Words:
    institution = await cast.world.institution()
    await cast.world.suspend(institution)
    return {"YOUR_SUSPENDED_INSTITUTION_ID": gid(institution)}


async def _application(cast: Cast) -> Words:
    return {"YOUR_APPLICATION_ID": gid(await cast.world.application())}


async def _pair(cast: Cast) -> Words:
    return await _institution(cast) | {"YOUR_DUPLICATE_ID": gid(await cast.world.institution())}


async def _letter(cast: Cast) -> Words:
    return {"YOUR_MAIL_ID": gid(await cast.world.letter(cast.candidate))}


async def _new_candidate(cast: Cast) -> Words:
    return {"YOUR_CANDIDATE_NUMBER": f"9{cast.world.count:05}"}


async def _to_load(cast: Cast) -> Words:
    entry = await cast.world.entry()
    return {"YOUR_CANDIDATE_NUMBER": entry.candidate_number, "YOUR_EXAM_DATE": str(entry.exam_date)}


async def _to_release(cast: Cast) -> Words:
    """A session of which nothing is released."""
    exam_date = date(2024, 1, 1) + timedelta(days=cast.world.count)
    await cast.world.result(await cast.world.entry(exam="B2_FIRST", exam_date=exam_date), released_at=None)
    return {"YOUR_EXAM_DATE": str(exam_date)}


async def _withheld(cast: Cast) -> Words:
    result = await cast.world.result()
    board = cast.world.viewer(Kind.STAFF, cast.users["board"].id, is_board=True)
    await corrections.withhold(board, Order(result.id, 1, "The centre is asked about the day."))
    return {"YOUR_WITHHELD_RESULT_ID": gid(result)}


async def _key(cast: Cast) -> Words:
    return {"YOUR_KEY_ID": gid((await cast.world.key(cast.institution))[0])}


async def _template(cast: Cast) -> Words:
    columns = [{"field": "NAME", "heading": "Name"}, {"field": "HEADLINE", "heading": "Result"}]
    facts: dict[str, Any] = {"format": DownloadFormat.CSV, "columns": columns, "created_at": cast.world.clock()}
    name = f"Template {cast.email()}"
    return {
        "YOUR_TEMPLATE_ID": gid(await DownloadTemplate.create(institution_id=cast.institution.id, name=name, **facts))
    }


async def _download(cast: Cast) -> Words:
    """Of one result, which nobody has made yet."""
    officer = cast.users["officer"]
    assert isinstance(officer, VerifierUser)
    viewer = cast.world.viewer(Kind.VERIFIER, officer.id, institution_id=cast.institution.id)
    template = (await templates.layout_of(viewer)).as_json()
    download = await cast.world.download(officer, template=template, rows=1)
    share = await Share.get(result_id=cast.result.id)
    held: dict[str, Any] = {"share_id": share.id, "result_id": cast.result.id, "version": 1}
    await DownloadRow.create(download_id=download.id, place=0, **held)
    return {"YOUR_DOWNLOAD_ID": gid(download)}


async def _webhook(cast: Cast) -> Words:
    """At an address that is reserved: nothing is sent there, and nothing looked up."""
    return {"YOUR_WEBHOOK_ID": gid(await cast.world.webhook(cast.institution, url="https://192.0.2.1/results"))}


async def _delivery(cast: Cast) -> Words:
    webhook = await cast.world.webhook(cast.institution)
    return {"YOUR_DELIVERY_ID": gid(await cast.world.delivery(webhook))}


async def _sandbox(cast: Cast) -> Words:
    """Made once for an institution, and the same from then on."""
    primary = cast.users["primary"]
    viewer = cast.world.viewer(Kind.VERIFIER, primary.id, institution_id=cast.institution.id, is_primary=True)
    made = await sandboxes.create(viewer)
    return {"YOUR_SANDBOX_ID": str(global_id("Institution", made.id))}


OWN: dict[str, Callable[[Cast], Awaitable[Words]]] = {
    **OWN_OF_SITTINGS,
    "amendResult": _own_result,
    "changeInstitution": _institution,
    "changePassword": _somebody,
    "changeTemplate": _template,
    "changeUser": _user,
    "changeWebhook": _webhook,
    "claimEntry": _unclaimed,
    "closeMyAccount": _somebody,
    "confirmEmail": _new_address,
    "decideApplication": _application,
    "decideJoinRequest": _join_request,
    "declineInvitation": _invitation,
    "deleteTemplate": _template,
    "deleteWebhook": _webhook,
    "download": _download,
    "downloadProgress": _download,
    "enterCandidates": _new_candidate,
    "handOverPrimary": _primary,
    "invitation": _invitation,
    "loadResults": _to_load,
    "logInStaff": _staff,
    "logInVerifier": _verifier,
    "logOut": _somebody,
    "mergeInstitutions": _pair,
    "previewTemplate": _template,
    "register": _unclaimed,
    "reinstateInstitution": _suspended,
    "reissueConfirmation": _unclaimed,
    "releaseResultAgain": _withheld,
    "removeUser": _user,
    "repeatDownload": _download,
    "replayWebhook": _webhook,
    "requestVerifierPasswordReset": _verifier,
    "resendDelivery": _delivery,
    "resendInvitation": _invited,
    "resendMail": _letter,
    "resetPassword": _reset,
    "resetSandbox": _sandbox,
    "revokeKey": _key,
    "revokeResult": _own_result,
    "rotateWebhookSecret": _webhook,
    "sandbox": _sandbox,
    "scheduleRelease": _to_release,
    "sendResult": _own_result,
    "setPassword": _first_password,
    "simulateChange": _sandbox,
    "suspendInstitution": _institution,
    "testWebhook": _webhook,
    "withdrawShare": _own_share,
    "withholdResult": _own_result,
}


async def fill(cast: Cast, example: Example) -> Filled:
    """What the example is run with."""
    own = await OWN[example.name](cast) if example.name in OWN else {}
    token = own.pop("token", None) or await cast.token(example.who[0])
    return Filled(token, cast.words | {"YOUR_EMAIL": cast.email()} | own, lambda: cast.world.code(cast.newcomer))
