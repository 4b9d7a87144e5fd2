"""What is measured: a GraphQL operation, and beside it the one SQL statement that answers the same."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks import data
from benchmarks.data import CANDIDATE, INSTITUTION, RESULT, VERIFIER, Size
from models.consent import CONSENT_VERSION, consent_sentence
from models.share import BLOCKING
from schema.ids import global_id

FIRST = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: whose token and which variables for the service, which values for the floor."""

    token: str
    variables: dict[str, Any]
    values: list[str]


@dataclass(frozen=True, slots=True)
class Case:
    """A request that differs from time to time by its number. `sign` is in every right answer of both sides."""

    name: str
    title: str
    document: str
    floor: str
    asked: Callable[[int, Size], Asked]
    sign: bytes


def node_id(type_name: str, key: str) -> str:
    """SQL for the id of a thing as clients know it."""
    return f"encode(convert_to('{type_name}:' || {key}, 'UTF8'), 'base64')"


SKILL_SCORES = """coalesce((SELECT json_agg(json_build_object('skill', skill, 'score', score) ORDER BY id)
                            FROM skill_score WHERE result_id = result.id), '[]')"""
RESULT_FIELDS = f"""
    'id', {node_id("Result", "result.id")}, 'statementNumber', result.statement_number, 'status', 'RELEASED',
    'qualification', exam.title, 'headline', result.headline, 'overallScore', result.overall_score,
    'cefr', result.cefr, 'examDate', entry.exam_date, 'skillScores', {SKILL_SCORES}"""
RESULT_SELECTION = """id statementNumber status qualification headline overallScore cefr examDate
                      skillScores { skill score }"""
CANDIDATE_FIELDS = f"""
    'id', {node_id("Candidate", "candidate.id")}, 'nativeName', candidate.native_name,
    'name', candidate.given_name || ' ' || candidate.family_name, 'dateOfBirth', candidate.date_of_birth"""
CANDIDATE_SELECTION = "id nativeName name dateOfBirth"
CURSOR = "int8send((extract(epoch FROM share.sent_at) * 1000000)::bigint) || uuid_send(share.id)"

INBOX = f"""
    query Inbox {{ inbox(first: {FIRST}) {{
        edges {{ node {{ id status sentAt candidate {{ {CANDIDATE_SELECTION} }} result {{ {RESULT_SELECTION} }} }} }}
        pageInfo {{ hasNextPage endCursor }} }} }}"""
INBOX_FLOOR = f"""
    WITH page AS (
        SELECT share.sent_at, share.id, row_number() OVER (ORDER BY share.sent_at DESC, share.id DESC) AS place,
               translate(encode({CURSOR}, 'base64'), '+/', '-_') AS cursor,
               json_build_object('node', json_build_object(
                   'id', {node_id("Share", "share.id")},
                   'status', CASE WHEN share.is_read THEN 'READ' ELSE 'UNREAD' END, 'sentAt', share.sent_at,
                   'candidate', json_build_object({CANDIDATE_FIELDS}),
                   'result', json_build_object({RESULT_FIELDS}))) AS edge
        FROM share JOIN candidate ON candidate.id = share.candidate_id JOIN result ON result.id = share.result_id
        JOIN entry ON entry.id = result.entry_id JOIN exam ON exam.code = entry.exam_id
        WHERE share.institution_id = $1::uuid AND share.withdrawn_at IS NULL AND share.expiry_told_at IS NULL
        AND (share.expires_at IS NULL OR share.expires_at > now()) AND result.released_at <= now()
        ORDER BY share.sent_at DESC, share.id DESC LIMIT {FIRST + 1})
    SELECT json_build_object('data', json_build_object('inbox', json_build_object(
        'edges', coalesce(json_agg(edge ORDER BY place) FILTER (WHERE place <= {FIRST}), '[]'),
        'pageInfo', json_build_object('hasNextPage', count(*) > {FIRST},
            'endCursor', max(cursor) FILTER (WHERE place = least({FIRST}, (SELECT count(*) FROM page)))))))::text
    FROM page"""


def _inbox(number: int, size: Size) -> Asked:
    institution = number % size.institutions
    return Asked(data.token(VERIFIER, institution), {}, [str(data.key(INSTITUTION, institution))])


OWN_RESULTS = f"""
    query OwnResults {{ me {{ {CANDIDATE_SELECTION} results {{ {RESULT_SELECTION}
        shares {{ edges {{ node {{ id status sentAt institution {{ id shownAs }} }} }} }} }} }} }}"""
OWN_RESULTS_FLOOR = f"""
    SELECT json_build_object('data', json_build_object('me', json_build_object({CANDIDATE_FIELDS}, 'results', coalesce((
        SELECT json_agg(json_build_object({RESULT_FIELDS}, 'shares', json_build_object('edges', coalesce((
            SELECT json_agg(json_build_object('node', json_build_object('id', {node_id("Share", "share.id")},
                       'status', CASE WHEN share.withdrawn_at IS NOT NULL THEN 'WITHDRAWN'
                                      WHEN share.expires_at <= now() THEN 'EXPIRED'
                                      WHEN share.is_read THEN 'READ' ELSE 'UNREAD' END, 'sentAt', share.sent_at,
                       'institution', json_build_object('id', {node_id("Institution", "institution.id")},
                                                        'shownAs', institution.name)))
                       ORDER BY share.sent_at DESC, share.id DESC)
            FROM share JOIN institution ON institution.id = share.institution_id
            WHERE share.candidate_id = candidate.id AND share.result_id = result.id), '[]')))
            ORDER BY entry.exam_date DESC, result.id DESC)
        FROM result JOIN entry ON entry.id = result.entry_id JOIN exam ON exam.code = entry.exam_id
        WHERE entry.candidate_id = candidate.id AND result.released_at <= now()), '[]'))))::text
    FROM candidate WHERE candidate.id = $1::uuid"""


def _own_results(number: int, size: Size) -> Asked:
    candidate = number * 31 % size.logged_in
    return Asked(data.token(CANDIDATE, candidate), {}, [str(data.key(CANDIDATE, candidate))])


LOOK_UP = f"""
    query LookUp($representations: [_Any!]!) {{ _entities(representations: $representations) {{
        ... on Result {{ {RESULT_SELECTION} candidate {{ {CANDIDATE_SELECTION} }} }} }} }}"""
LOOK_UP_FLOOR = f"""
    SELECT json_build_object('data', json_build_object('_entities', json_build_array(json_build_object(
        {RESULT_FIELDS}, 'candidate', json_build_object({CANDIDATE_FIELDS})))))::text
    FROM result JOIN entry ON entry.id = result.entry_id JOIN exam ON exam.code = entry.exam_id
    JOIN candidate ON candidate.id = entry.candidate_id
    WHERE result.statement_number = $1 AND result.released_at <= now()
    AND EXISTS (SELECT FROM share WHERE share.result_id = result.id AND share.institution_id = $2::uuid
                AND share.withdrawn_at IS NULL AND share.expiry_told_at IS NULL
                AND (share.expires_at IS NULL OR share.expires_at > now()))"""


def _look_up(number: int, size: Size) -> Asked:
    result = number * 101 % size.results
    institution, statement_number = data.institution_of(result, size), data.statement_number(result)
    representation = {"__typename": "Result", "statementNumber": statement_number}
    values = [statement_number, str(data.key(INSTITUTION, institution))]
    return Asked(data.token(VERIFIER, institution), {"representations": [representation]}, values)


SEND = """
    mutation Send($input: SendResultInput!) { sendResult(input: $input) { ... on ResultSent {
        wasAlreadySent share { status result { statementNumber headline } institution { id shownAs } } } } }"""
SEND_FLOOR = f"""
    WITH allowed AS (
        SELECT result.id, result.statement_number, result.headline, entry.candidate_id,
               institution.id AS institution_id, institution.name
        FROM result JOIN entry ON entry.id = result.entry_id, institution
        WHERE result.id = $1::uuid AND entry.candidate_id = $2::uuid AND institution.id = $3::uuid
        AND result.released_at <= now() AND result.revoked_at IS NULL AND result.outcome NOT IN ('PENDING', 'WITHHELD')
        AND institution.status = 'APPROVED' FOR SHARE OF result, institution),
    made AS (
        INSERT INTO share (id, result_id, institution_id, candidate_id, sent_at, is_read, consent_text,
                           consent_version, consent_language, institution_name_shown)
        SELECT gen_random_uuid(), id, institution_id, candidate_id, now(), false, $4, '{CONSENT_VERSION}', 'en', name
        FROM allowed ON CONFLICT (result_id, institution_id) WHERE {BLOCKING} DO NOTHING
        RETURNING id, result_id, institution_id),
    event AS (
        INSERT INTO journal (institution_id, kind, share_id, result_id, happened_at)
        SELECT institution_id, 'SHARE_SENT', id, result_id, now() FROM made RETURNING institution_id),
    told AS (SELECT pg_notify('journal', institution_id::text) FROM event)
    SELECT json_build_object('data', json_build_object('sendResult', json_build_object(
        'wasAlreadySent', (SELECT count(*) FROM told) = 0, 'share', json_build_object('status', 'UNREAD',
        'result', json_build_object('statementNumber', statement_number, 'headline', headline),
        'institution', json_build_object('id', {node_id("Institution", "institution_id")}, 'shownAs', name)))))::text
    FROM allowed"""


def _send(number: int, size: Size) -> Asked:
    """Each number is another pair: all results of candidates who are logged in, to one institution after another."""
    result = number % size.logged_in
    candidate = data.candidate_of(result, size)
    institution = (data.institution_of(result, size) + 1 + number // size.logged_in) % size.institutions
    wanted = {
        "resultId": global_id("Result", data.key(RESULT, result)),
        "institutionId": global_id("Institution", data.key(INSTITUTION, institution)),
        "consentVersion": CONSENT_VERSION,
    }
    keys = [data.key(RESULT, result), data.key(CANDIDATE, candidate), data.key(INSTITUTION, institution)]
    sentence = consent_sentence(data.institution_name(institution), "en")
    return Asked(data.token(CANDIDATE, candidate), {"input": wanted}, [*map(str, keys), sentence])


CASES = (
    Case("inbox", f"Inbox page of {FIRST}", INBOX, INBOX_FLOOR, _inbox, b'"edges":[{'),
    Case("own", "Own results", OWN_RESULTS, OWN_RESULTS_FLOOR, _own_results, b'"skillScores"'),
    Case("look-up", "Look-up by number", LOOK_UP, LOOK_UP_FLOOR, _look_up, b'"skillScores"'),
    Case("send", "Send", SEND, SEND_FLOOR, _send, b'"wasAlreadySent":false'),
)
