"""The schema put together: one slice of Query, Mutation and Subscription per type."""

from typing import Any, Final

import strawberry
from strawberry.federation.schema import FederationAny
from strawberry.schema.config import StrawberryConfig

from schema import entities
from schema.application import ApplicationMutation
from schema.candidate import CandidateMutation, CandidateQuery
from schema.change import ChangeQuery
from schema.check import CheckQuery
from schema.claim import ClaimMutation
from schema.closing import ClosingMutation
from schema.context import Info
from schema.correction import CorrectionMutation
from schema.details import DetailsMutation
from schema.download import DownloadQuery
from schema.download_order import DownloadMutation, DownloadSubscription
from schema.entering import EnteringMutation
from schema.entities import ENTITIES, NodeQuery
from schema.exam import ExamQuery
from schema.execution import Executor
from schema.export import ExportMutation
from schema.extensions import EXTENSIONS
from schema.inbox import InboxMutation, InboxQuery, InboxSubscription
from schema.institution import InstitutionQuery
from schema.institution_change import InstitutionMutation
from schema.invitation import InvitationMutation, InvitationQuery
from schema.join_request import JoinRequestMutation
from schema.key import KeyMutation
from schema.letter import LetterMutation
from schema.list_check import ListCheckMutation, ListCheckQuery
from schema.loading import LoadingMutation
from schema.password import PasswordMutation
from schema.photo import PhotoMutation
from schema.refusals import TYPES, handlers
from schema.release import ReleaseMutation
from schema.result import ResultQuery
from schema.result_change import ResultChangeSubscription
from schema.sandbox import SandboxMutation, SandboxQuery
from schema.sending import SendingMutation
from schema.session import SessionMutation, SessionQuery
from schema.share import ShareMutation, ShareQuery
from schema.sittings.board import SittingBoardMutation
from schema.sittings.events import SittingSubscription
from schema.sittings.orders import SittingMutation
from schema.sittings.photo import SittingPhotoMutation
from schema.sittings.proctoring import ProctoringMutation, ProctoringQuery
from schema.sittings.sitting import SittingQuery
from schema.staff import StaffQuery
from schema.suspension import SuspensionMutation
from schema.template import TemplateMutation, TemplateQuery
from schema.user import UserMutation
from schema.verifier import OrganisationMutation, OrganisationQuery
from schema.verifying import VerifyingQuery
from schema.webhook import WebhookMutation
from schema.withdrawal import WithdrawalMutation, WithdrawalQuery

FEDERATION_VERSION: Final = "2.9"  # the newest that gateways and composers in use all know


class Schema(strawberry.federation.Schema):
    """Strawberry's federation schema with our own door for gateways."""

    async def entities_resolver(  # type: ignore[override]  # ours is asynchronous
        self, info: Info, representations: list[FederationAny]
    ) -> list[FederationAny]:
        """See schema/entities.py."""
        return await entities.resolve_all(info, representations)

    def process_errors(self, errors: Any, execution_context: Any = None) -> None:
        """Nothing: errors are logged once, where they are masked (schema/extensions.py)."""


@strawberry.type(description="What can be read. What is not there, or not for the viewer, is null or left out.")
class Query(
    SessionQuery,
    CandidateQuery,
    ResultQuery,
    InboxQuery,
    ShareQuery,
    WithdrawalQuery,
    InstitutionQuery,
    InvitationQuery,
    ExamQuery,
    OrganisationQuery,
    StaffQuery,
    CheckQuery,
    VerifyingQuery,
    ListCheckQuery,
    SandboxQuery,
    TemplateQuery,
    DownloadQuery,
    ChangeQuery,
    SittingQuery,
    ProctoringQuery,
    NodeQuery,
):
    pass


@strawberry.type(description="What can be ordered. Each answers with its success or with a `Refusal`.")
class Mutation(
    SessionMutation,
    CandidateMutation,
    ClaimMutation,
    ClosingMutation,
    ExportMutation,
    DetailsMutation,
    PasswordMutation,
    SendingMutation,
    ShareMutation,
    InboxMutation,
    WithdrawalMutation,
    OrganisationMutation,
    UserMutation,
    JoinRequestMutation,
    KeyMutation,
    SuspensionMutation,
    ApplicationMutation,
    InstitutionMutation,
    InvitationMutation,
    LetterMutation,
    EnteringMutation,
    LoadingMutation,
    ReleaseMutation,
    CorrectionMutation,
    PhotoMutation,
    ListCheckMutation,
    SandboxMutation,
    WebhookMutation,
    TemplateMutation,
    DownloadMutation,
    SittingMutation,
    ProctoringMutation,
    SittingPhotoMutation,
    SittingBoardMutation,
):
    pass


@strawberry.type(description="What can be followed live.")
class Subscription(InboxSubscription, ResultChangeSubscription, DownloadSubscription, SittingSubscription):
    pass


schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[*ENTITIES.values(), *TYPES.values()],
    extensions=EXTENSIONS,
    execution_context_class=Executor,
    config=StrawberryConfig(disable_field_suggestions=True),
    federation_version=FEDERATION_VERSION,
    exception_handlers=handlers(),
)
