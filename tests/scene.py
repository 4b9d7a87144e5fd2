"""A world in which every row has texts of its own, and every way in which the schema leads to a row.

`everything_told` asks all of it as one asker; `Scene.texts` says what must not come out.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache
from typing import Any

from graphql import get_named_type
from starlette.applications import Starlette

from models.application import ApplicationStatus
from models.candidate import Candidate
from models.consent import CONSENT_VERSION as VERSION
from models.download import DownloadRow, DownloadStatus
from models.entry import Centre, Entry
from models.institution import Institution, InstitutionStatus
from models.journal import ResultChange
from models.result import Outcome, Result
from models.session import EmailChange
from models.share import Share
from models.template import DownloadFormat, DownloadTemplate
from models.trail import TrailAct
from models.verifier import StaffUser, VerifierStatus, VerifierUser
from models.version import Change, HolderNotice, ResultVersion
from models.viewer import Kind
from models.visit import About
from resolvers import result_changes, trail
from resolvers.downloads.failures import CannotBeMade, FailedCell
from tests.client import Client
from tests.events import events
from tests.printed import fields_of, keys_of_entities
from tests.selecting import Everything
from tests.world import LAYOUT, PASSWORD, SECRET, World, gid

WRONG_PASSWORD = "wrong horse 42"
LAST = "Othersfamily"  # the candidate of each institution's last share
LAST_CHANGED = ("result 2", "other result")  # the last change of each candidate's results: its release
Variables = dict[str, Any]
Texts = set[str | int]

# The rows of `home` that its Primary User sees, whatever becomes of any share.
OFFICE = {
    "home user",
    "newcomer",
    "template",
    "join request",
    "list check",
    "list check by key",
    "key",
    "webhook",
    "download",
    "download again",
    "sandbox",
}


@dataclass
class Scene:
    """The rows, and what tells each of them: strings that stand nowhere else, and scores."""

    world: World
    rows: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, Texts] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    ways: Mapping[str, "Way"] = field(default_factory=lambda: WAYS)

    def keep(self, name: str, row: Any, *texts: str | int) -> Any:
        """Name a row, and note what tells it: its id and these texts."""
        self.rows[name] = row
        self.texts[name] = {gid(row), str(row.pk), *texts}
        return row

    def of_type(self, type_name: str) -> list[Any]:
        """Every row of a type."""
        return [row for row in self.rows.values() if type(row).__name__ == type_name]

    def ids(self, type_name: str) -> list[str]:
        """The ids of every row of a type."""
        return [gid(row) for row in self.of_type(type_name)]

    def among(self, said: "Said") -> set[str]:
        """The names of the rows that an answer tells something of."""
        return {name for name, texts in self.texts.items() if any(said.holds(text) for text in texts)}


async def scene_of(world: World) -> Scene:
    """One candidate's data and one institution's, and somebody else's of both."""
    scene = Scene(world)
    await _institutions(scene)
    await _candidate(scene)
    await _others(scene)
    await _shares(scene)
    await _downloads(scene)
    await _correction(scene)
    await _letters(scene)
    await _trail(scene)
    await _changes(scene)
    await _applications(scene)
    await _sandbox(scene)
    for name, row in scene.rows.items():
        if isinstance(row, VerifierUser | StaffUser) or name in ("candidate", "other candidate"):
            scene.tokens[name] = await world.token(row)
    await world.suspend(scene.keep("shut institution", scene.rows["shut"], "Open shut"))
    return scene


async def _institutions(scene: Scene) -> None:
    """`home` holds the candidate's share, `third` too; `other` and `faculty` hold none; the rest is not approved."""
    world = scene.world
    for name in ("home", "third", "other", "shut"):
        scene.rows[name] = await world.institution(f"Open {name}", aliases=["not hidden"])
    scene.rows["faculty"] = await world.institution("Open faculty", parent_id=scene.rows["home"].id)
    for status in (InstitutionStatus.APPLIED, InstitutionStatus.EMAIL_CONFIRMED, InstitutionStatus.REFUSED):
        name = f"{status.value.lower()} institution"
        words = [f"Hidden{word}{status.value}" for word in ("name", "department", "city", "website")]
        facts: dict[str, Any] = dict(zip(("department", "city", "website"), words[1:], strict=True))
        scene.keep(name, await world.institution(words[0], status=status, approved_at=None, **facts), *words)
    await _users(scene)
    key, _ = await world.key(scene.rows["home"], name="Hiddenkey", prefix="sk_hidden")
    scene.keep("key", key, key.name, key.prefix)
    webhook = await world.webhook(scene.rows["home"], url="https://hiddenhooks.example/new")
    message = await world.delivery(webhook)
    scene.keep("webhook", webhook, webhook.url, gid(message))
    scene.keep("template", await _template(world, scene.rows["home"]), "Hiddentemplate", "Hiddenheading")


async def _users(scene: Scene) -> None:
    for name in ("home", "other", "faculty", "shut"):
        words = f"Hiddenuser{name}", f"hidden{name}@office.example"
        user = await scene.world.verifier(scene.rows[name], name=words[0], email=words[1], is_primary=True)
        scene.keep(f"{name} user", user, *words)
    await _newcomers(scene)
    scene.rows["staff"] = await scene.world.staff()
    scene.rows["centre staff"] = await scene.world.staff(centre=await scene.world.centre())
    elsewhere = await Centre.create(number="JP902", name="Minato Examination Centre", city="Kobe", country="JP")
    scene.rows["staff elsewhere"] = await scene.world.staff(centre=elsewhere)


async def _newcomers(scene: Scene) -> None:
    """Somebody who has set no password yet, and somebody who asks to join."""
    nobody_yet: dict[str, Any] = {"status": VerifierStatus.INVITED, "password_hash": None}
    words = "Hiddennewcomer", "hiddennewcomer@office.example"
    newcomer = await scene.world.verifier(scene.rows["home"], name=words[0], email=words[1], **nobody_yet)
    scene.keep("newcomer", newcomer, *words)
    words = "Hiddenasker", "hiddenasker@office.example"
    asker = await scene.world.join_request(scene.rows["home"], name=words[0], email=words[1])
    scene.keep("join request", asker, *words)
    scene.rows["closing"] = await scene.world.institution("Open closing")


async def _template(world: World, institution: Institution) -> DownloadTemplate:
    return await DownloadTemplate.create(
        institution_id=institution.id,
        name="Hiddentemplate",
        format=DownloadFormat.CSV,
        columns=[{"field": "HEADLINE", "heading": "Hiddenheading"}],
        created_at=world.clock(),
    )


async def _candidate(scene: Scene) -> None:
    """The candidate that it is all about, with two entries and results."""
    names: dict[str, Any] = {"family_name": "Hiddenfamily", "given_name": "Hiddengiven", "native_name": "秘密葵"}
    born, email = date(1971, 3, 9), "hiddencandidate@mail.example"
    refused_at = scene.world.clock() - timedelta(days=1, microseconds=271828)
    candidate = await scene.world.candidate(**names, date_of_birth=born, email=email, email_refused_at=refused_at)
    scene.keep("candidate", candidate, *names.values(), str(born))
    pending = "hiddennewaddress@mail.example"
    await EmailChange.create(candidate_id=candidate.id, new_email=pending, asked_at=scene.world.clock())
    scene.texts["account"] = {email, pending, f"{refused_at:.%f}"}
    for number, exam_date in ((1, date(2026, 8, 7)), (2, date(2026, 8, 8))):
        entry = await _entry(scene, candidate, number, exam_date)
        await _result(scene, entry, number)


async def _entry(scene: Scene, candidate: Candidate, number: int, exam_date: date) -> Entry:
    facts: dict[str, Any] = {
        "id_number": f"QZX98765{number}",
        "candidate_number": f"HIDDENNO{number}",
        "results_by": date(2031, 3, number),
    }
    entry = await scene.world.entry(candidate, exam_date=exam_date, **facts)
    scene.keep(f"entry {number}", entry, *map(str, facts.values()))
    return entry


async def _result(scene: Scene, entry: Entry, number: int) -> None:
    """A graded result; `award` is what a revoked one must not show."""
    facts: dict[str, Any] = {
        "statement_number": f"SHIDDEN{number}",
        "certificate_number": f"CHIDDEN{number}",
        "headline": f"Hiddenheadline{number}",
        "grade": f"Hiddengrade{number}",
        "overall_score": 211 + number,
        "released_at": scene.world.clock() - timedelta(days=1, microseconds=314159 + number),
    }
    skills = {"READING": 201 + 4 * number, "WRITING": 202 + 4 * number, "SPEAKING": 203 + 4 * number}
    result = await scene.world.result(entry, skills, outcome=Outcome.GRADE, cefr="C1", **facts)
    scene.keep(f"result {number}", result, facts["statement_number"], f"{facts['released_at']:.%f}")
    awarded = (facts[name] for name in ("certificate_number", "headline", "grade", "overall_score"))
    scene.texts[f"award {number}"] = {*awarded, *skills.values()}


async def _correction(scene: Scene) -> None:
    """The candidate's first result stands in its second version; the two institutions that had read the first know."""
    ended_at = scene.world.clock() - timedelta(hours=3, microseconds=161803)
    old: dict[str, Any] = {"headline": "Hiddenoldheadline", "grade": "Hiddenoldgrade", "overall_score": 217}
    old |= {"certificate_number": "CHIDDENOLD", "skill_scores": {"READING": 218, "WRITING": 219}}
    result = scene.rows["result 1"]
    await ResultVersion.create(
        result_id=result.id, version=1, outcome=Outcome.GRADE, cefr="C2", ended_by=Change.AMENDED, ended_at=ended_at,
        reason="Hiddenreason", **old,
    )  # fmt: skip
    await Result.filter(id=result.id).update(version=2)
    scene.texts["version 1"] = {f"{ended_at:.%f}"}
    scene.texts["reason 1"] = {"Hiddenreason"}
    scene.texts["old award 1"] = {"Hiddenoldheadline", "Hiddenoldgrade", "CHIDDENOLD", 217, 218, 219}
    for number, name in enumerate(("home", "third")):
        told_at = ended_at + timedelta(microseconds=1 + number)
        await HolderNotice.create(
            result_id=result.id, version=1, institution_id=scene.rows[name].id, change=Change.AMENDED, told_at=told_at
        )
        scene.texts[f"notice to {name}"] = {f"{told_at:.%f}"}
    looking = scene.world.viewer(Kind.VERIFIER, institution_id=scene.rows["third"].id)
    looked_up = About(scene.rows["candidate"].id, scene.rows["result 2"].id, 1)
    await trail.note(looking, TrailAct.LOOKED_UP, [looked_up])  # so that staff are told of a holder by a correction


async def _letters(scene: Scene) -> None:
    """Mail that was not taken: only staff know of it, its own receivers included."""
    for owner in ("candidate", "home user"):
        told = [f"hiddenletter{owner[:4]}@mail.example", f"Hiddenerror{owner[:4]}"]
        letter = await scene.world.letter(scene.rows[owner], address=told[0], last_error=told[1])
        scene.keep(f"letter to {owner}", letter, *told)


async def _trail(scene: Scene) -> None:
    """That the institution has read the candidate's first result."""
    user, result = scene.rows["home user"], scene.rows["result 1"]
    viewer = scene.world.viewer(Kind.VERIFIER, user.id, institution_id=user.institution_id)
    await trail.note(viewer, TrailAct.READ, [About(scene.rows["candidate"].id, result.id, result.version)])


async def _changes(scene: Scene) -> None:
    """That results have changed: last of all, for each candidate, that one was released."""
    for name, kind in (("result 1", ResultChange.AMENDED), *((name, ResultChange.RELEASED) for name in LAST_CHANGED)):
        await result_changes.write(kind, [scene.rows[name].id], scene.world.clock())


async def _sandbox(scene: Scene) -> None:
    """What is invented for `home`: its users know the sandbox, and its keys alone what is in it."""
    world = scene.world
    sandbox = scene.keep("sandbox", await world.sandbox(scene.rows["home"], name="Hiddensandbox"), "Hiddensandbox")
    person: dict[str, Any] = {"family_name": "Hiddeninvented", "given_name": LAST, "sandbox_id": sandbox.id}
    candidate = scene.keep("invented candidate", await world.candidate(False, **person), "Hiddeninvented")
    facts: dict[str, Any] = {"statement_number": "SANDBOX-HIDDEN", "certificate_number": "SANDBOX-HIDDENC"}
    result = await world.result(await world.entry(candidate, candidate_number="HIDDENNO9"), skills={}, **facts)
    scene.keep("invented result", result, facts["certificate_number"])
    scene.keep("invented share", await Share.get(id=await world.share(result, sandbox)))
    _, scene.tokens["sandbox program"] = await world.key(sandbox, made_by=scene.rows["home user"])


async def _applications(scene: Scene) -> None:
    """One that is to be decided, of an institution with the domain of another, and one that an invitation led to."""
    words = "Hiddenapplicant", "hiddenapplicant@office.example"
    facts: dict[str, Any] = dict(zip(("applicant_name", "applicant_email"), words, strict=True))
    await Institution.filter(id=scene.rows["third"].id).update(domain="office.example")
    application = await scene.world.application(scene.rows["email_confirmed institution"], **facts)
    scene.keep("application", application, *words)
    decided = {"decided_at": scene.world.clock(), "decided_by": scene.rows["staff"].id}
    approved = await scene.world.application(
        scene.rows["home"], status=ApplicationStatus.APPROVED, reason="Hiddenapproval", **decided
    )
    scene.keep("approved application", approved, "Hiddenapproval")
    names = {"name": "Hiddencollege", "email": "hiddenoffice@college.example"}
    invitation = await scene.world.invitation(
        scene.rows["candidate"], application_id=approved.id, accepted_at=scene.world.clock(), **names
    )
    scene.keep("invitation", invitation, *names.values())
    words = "Hiddenlistpurpose", "Hiddenlist.csv"
    told: dict[str, Any] = {"purpose": words[0], "file_name": words[1]}
    user, by_key = scene.rows["home user"], {"verifier_id": None, "key_id": scene.rows["key"].id}
    scene.keep("list check", await scene.world.list_check(user, **told), *words)
    listed = await scene.world.list_check(user, file_name="Hiddenprogram.csv", **by_key)
    scene.keep("list check by key", listed, "Hiddenprogram.csv")


async def _others(scene: Scene) -> None:
    """Somebody who is registered, with a result of their own, and somebody who has yet to register."""
    somebody = await scene.world.candidate(family_name=LAST)
    scene.keep("other candidate", somebody, LAST)
    scene.rows["other result"] = await scene.world.result(await scene.world.entry(somebody))
    unclaimed = await scene.world.candidate(registered=False, family_name="Hiddenunclaimed")
    scene.keep("unclaimed candidate", unclaimed, "Hiddenunclaimed")
    entry = await scene.world.entry(unclaimed, id_number="QZX111111", claimed_at=None)
    scene.keep("unclaimed entry", entry, "QZX111111")
    lost = await scene.world.entry(unclaimed, id_number="QZX222222", claimed_at=None)
    scene.keep("lost entry", lost, "QZX222222")


async def _shares(scene: Scene) -> None:
    """The candidate's first result with three institutions, one of them suspended later; then the other's with all."""
    for name in ("home", "third", "shut"):
        share = await Share.get(id=await scene.world.share(scene.rows["result 1"], scene.rows[name]))
        share.consent_text = f"Hiddenconsent{name}"
        await share.save(update_fields=["consent_text"])
        scene.keep(f"share with {name}", share, share.consent_text)
    for name in ("home", "other", "faculty"):
        await scene.world.share(scene.rows["other result"], scene.rows[name])


async def _downloads(scene: Scene) -> None:
    """One of `home` that failed over the candidate's share, and one by a key that repeats it."""
    user, share, result = scene.rows["home user"], scene.rows["share with home"], scene.rows["result 1"]
    layout = replace(LAYOUT, name="Hiddenlayout").as_json()
    failure = CannotBeMade("Hiddenfailure", [FailedCell(0, "Hiddencell", "x")]).kept()
    failed = await scene.world.download(user, rows=1, template=layout, status=DownloadStatus.FAILED, failure=failure)
    await DownloadRow.create(download_id=failed.id, place=0, share_id=share.id, result_id=result.id, version=1)
    scene.keep("download", failed, "Hiddenlayout", "Hiddenfailure", "Hiddencell")
    ready: dict[str, Any] = {"status": DownloadStatus.READY, "file": "x", "digest": b"d" * 32, "size": 271828}
    ready |= {"ready_at": scene.world.clock(), "rows": 1, "done": 1}
    by_key = {"verifier_id": None, "key_id": scene.rows["key"].id, "repeated_id": failed.id}
    scene.keep("download again", await scene.world.download(user, **ready, **by_key), 271828)


# ---- what an answer says


@dataclass
class Said:
    """One answer: its text, and the values in its data."""

    text: str
    bodies: list[Any]

    def holds(self, text: str | int) -> bool:
        """Whether a string stands anywhere in the answer, or a number is a value in its data."""
        if isinstance(text, str):
            return text in self.text
        return any(value == text and not isinstance(value, bool) for value in self.values())

    def values(self) -> Iterator[Any]:
        """Everything in the data that is no object and no list."""
        return (one for body in self.bodies for one in _within(body.get("data")) if not isinstance(one, dict | list))

    def objects(self) -> Iterator[dict[str, Any]]:
        """Every object in the data."""
        return (one for body in self.bodies for one in _within(body.get("data")) if isinstance(one, dict))


def _within(value: Any) -> Iterator[Any]:
    yield value
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inside:
        yield from _within(one)


def said(*bodies: Any) -> Said:
    return Said(json.dumps(bodies, ensure_ascii=False), list(bodies))


# ---- every way in


@dataclass(frozen=True)
class Asker:
    """Who asks: their session's token, and the passwords that they know."""

    token: str | None
    knows: frozenset[str] = frozenset()
    user: str = "home user"


def _once(_scene: Scene, _asker: Asker) -> list[Variables]:
    return [{}]


def _resets(scene: Scene, asker: Asker) -> list[Variables]:
    """The users of `home` may as well, but what is in it is for its own key to see first."""
    is_home = asker.token == scene.tokens["home user"]
    return [] if is_home else [{"input": {"id": gid(scene.rows["sandbox"])}}]


def _registrations(scene: Scene, asker: Asker) -> list[Variables]:
    """The right numbers of an account that is there, and of one that is not, whose Secret Number few know."""
    secret = SECRET if "register" in asker.knows else "0000"
    numbers = [(scene.rows["entry 1"].id_number, SECRET), (scene.rows["unclaimed entry"].id_number, secret)]
    return [{"input": _registration(*one)} for one in numbers]


def _registration(id_number: str, secret: str) -> Variables:
    return {
        "idNumber": id_number, "secretNumber": secret, "acceptsTerms": True, "email": "a@b.example",
        "emailAgain": "a@b.example", "password": PASSWORD, "passwordAgain": PASSWORD,
    }  # fmt: skip


def _claims(scene: Scene, _: Asker) -> list[Variables]:
    """The right numbers of an account that is there."""
    return [{"input": {"idNumber": scene.rows["entry 1"].id_number, "secretNumber": SECRET}}]


def _log_in(mutation: str, name: str, of: Callable[[Scene, Asker], str]) -> Callable[[Scene, Asker], list[Variables]]:
    def variables(scene: Scene, asker: Asker) -> list[Variables]:
        password = PASSWORD if mutation in asker.knows else WRONG_PASSWORD
        return [{"input": {name: of(scene, asker), "password": password}}]

    return variables


def _enterings(scene: Scene, _: Asker) -> list[Variables]:
    """A row of which an entry says something else, and one that is new."""
    known = {"centre": "JP901", "examCode": "C1_ADVANCED", "examDate": "2026-08-07", "candidateNumber": "HIDDENNO1"}
    person = {"familyName": "Nakata", "dateOfBirth": "2001-02-03"}
    return [{"input": {"rows": [known | person, known | person | {"candidateNumber": "9999"}]}}]


def _sendings(scene: Scene, _: Asker) -> list[Variables]:
    """What only its candidate may send, and what nobody may send there; neither makes a new share."""
    wanted = [("result 1", "home"), ("result 1", "applied institution"), ("result 2", "shut")]
    return [
        {
            "input": {
                "resultId": gid(scene.rows[result]),
                "institutionId": gid(scene.rows[to]),
                "consentVersion": VERSION,
            }
        }
        for result, to in wanted
    ]


def _openings(scene: Scene, _: Asker) -> list[Variables]:
    return [{"input": {"shareId": id}} for id in scene.ids("Share")]


def _markings(scene: Scene, _: Asker) -> list[Variables]:
    return [{"input": {"shareId": id, "isRead": True}} for id in scene.ids("Share")]


def _corrections(version: int, **facts: Any) -> Callable[[Scene, Asker], list[Variables]]:
    """Of a result that no asker needs afterwards, one correction after the other: staff make them."""
    order: Variables = {"expectedVersion": version, "reason": "A reason."} | facts
    return lambda scene, _: [{"input": order | {"resultId": gid(scene.rows["result 2"])}}]


def _about_webhook(facts: Variables) -> Callable[[Scene, Asker], list[Variables]]:
    return lambda scene, _: [{"input": {"id": gid(scene.rows["webhook"])} | facts}]


def _merging(scene: Scene, _: Asker) -> list[Variables]:
    """Of two that hold nothing of the candidate's."""
    pair = {"duplicateId": gid(scene.rows["faculty"]), "intoId": gid(scene.rows["other"])}
    return [{"input": pair | {"reason": "The same."}}]


def _withdrawals(scene: Scene, _: Asker) -> list[Variables]:
    """Of a share that no asker needs afterwards: its candidate withdraws it."""
    return [{"input": {"shareId": gid(scene.rows["share with third"])}}]


def _is_last(result: Any) -> bool:
    """Whether this is the share or the change that everybody got last."""
    change = (result.get("data") or {}).get("resultChanges")
    return bool(change["kind"] == "RELEASED" if change else LAST in json.dumps(result))


@dataclass(frozen=True)
class Way:
    """A root field that leads to rows: how it is written, and every set of variables to try on a scene.

    `on` is the type to ask for where the field answers an interface or a union; `leaves_out` names fields that tell
    of a row no more than its id, to whoever had it.
    """

    call: str
    declares: str = ""
    variables: Callable[[Scene, Asker], list[Variables]] = _once
    on: str = ""
    depth: int = 3
    leaves_out: tuple[str, ...] = ()
    is_last: Callable[[Any], bool] = _is_last  # of a stream: whether it tells nothing of the scene behind this


def _node(type_name: str) -> Way:
    return Way("node(id: $id)", "($id: ID!)", lambda scene, _: [{"id": id} for id in scene.ids(type_name)], type_name)


def _entities(type_name: str) -> Way:
    return Way(
        "_entities(representations: $r)", "($r: [_Any!]!)", lambda scene, _: _representations(scene, type_name),
        type_name, depth=2,
    )  # fmt: skip


def _representations(scene: Scene, type_name: str) -> list[Variables]:
    """Every row of a type by every key that the schema declares; a key that is no column needs a word here."""
    columns = {"statementNumber": "statement_number"}
    representations = [
        {"__typename": type_name, key: gid(row) if key == "id" else getattr(row, columns[key])}
        for row in scene.of_type(type_name)
        for key in keys_of_entities()[type_name]
    ]
    return [{"r": representations}]


ENTITIES = ("Candidate", "Entry", "Result", "Share", "Institution", "VerifierUser", "DownloadTemplate", "Letter",
            "AccountApplication", "Invitation", "JoinRequest", "ListCheck", "ApiKey", "Webhook",
            "Download")  # fmt: skip
BY_EMAIL = "($input: LogInByEmailInput!)"

# Every root field that leads to a row, but for those to sittings (tests/sitting_scene.py). A new one fails the tests
# until it stands here.
WAYS: dict[str, Way] = {
    "Query.viewer": Way("viewer"),
    "Query.me": Way("me"),
    "Query.result": Way("result(id: $id)", "($id: ID!)", lambda scene, _: [{"id": id} for id in scene.ids("Result")]),
    "Query.inbox": Way("inbox(first: 3)"),
    "Query.sandbox": Way("sandbox"),
    "Query.share": Way("share(id: $id)", "($id: ID!)", lambda scene, _: [{"id": id} for id in scene.ids("Share")]),
    "Query.listCheck": Way(
        "listCheck(id: $id)", "($id: ID!)", lambda scene, _: [{"id": id} for id in scene.ids("ListCheck")]
    ),
    "Query.changes": Way("changes(first: 3)", leaves_out=("shareId", "resultId")),  # of what is gone, too (P2)
    "Query.download": Way(
        "download(id: $id)", "($id: ID!)", lambda scene, _: [{"id": id} for id in scene.ids("Download")], depth=2
    ),
    "Query.institutions": Way('institutions(search: "hidden")'),
    "Query.organisation": Way("organisation"),
    "Query.staff": Way("staff", depth=2),
    **{f"Query.node {name}": _node(name) for name in ENTITIES},
    **{f"Query._entities {name}": _entities(name) for name in ENTITIES},
    "Mutation.register": Way("register(input: $input)", "($input: RegisterInput!)", _registrations),
    "Mutation.claimEntry": Way("claimEntry(input: $input)", "($input: ClaimEntryInput!)", _claims),
    "Mutation.changeMyDetails": Way(
        "changeMyDetails(input: $input)", "($input: ChangeMyDetailsInput!)", lambda *_: [{"input": {"language": "en"}}]
    ),
    "Mutation.logIn": Way(
        "logIn(input: $input)", "($input: LogInInput!)",
        _log_in("logIn", "idNumber", lambda scene, _: str(scene.rows["entry 1"].id_number)),
    ),
    "Mutation.logInVerifier": Way(
        "logInVerifier(input: $input)", BY_EMAIL,
        _log_in("logInVerifier", "email", lambda scene, asker: str(scene.rows[asker.user].email)),
    ),
    "Mutation.logInStaff": Way(
        "logInStaff(input: $input)", "($input: LogInStaffInput!)",
        _log_in("logInStaff", "email", lambda scene, _: str(scene.rows["staff"].email)),
    ),
    "Mutation.enterCandidates": Way(
        "enterCandidates(input: $input)", "($input: EnterCandidatesInput!)", _enterings, depth=2
    ),
    "Mutation.reissueConfirmation": Way(
        "reissueConfirmation(input: $input)", "($input: ReissueConfirmationInput!)",
        lambda scene, _: [{"input": {"entryId": gid(scene.rows["lost entry"])}}], depth=2,
    ),
    "Mutation.openShare": Way("openShare(input: $input)", "($input: OpenShareInput!)", _openings),
    "Mutation.markShare": Way("markShare(input: $input)", "($input: MarkShareInput!)", _markings),
    "Mutation.changeNotifications": Way(
        "changeNotifications(input: $input)", "($input: ChangeNotificationsInput!)",
        lambda _scene, _asker: [{"input": {"notify": "DAILY"}}], depth=2,
    ),
    "Mutation.sendResult": Way("sendResult(input: $input)", "($input: SendResultInput!)", _sendings),
    "Mutation.withdrawShare": Way("withdrawShare(input: $input)", "($input: WithdrawShareInput!)", _withdrawals),
    "Mutation.amendResult": Way(
        "amendResult(input: $input)", "($input: AmendResultInput!)", _corrections(1, overallScore=185), depth=2
    ),
    "Mutation.withholdResult": Way(
        "withholdResult(input: $input)", "($input: WithholdResultInput!)", _corrections(2), depth=2
    ),
    "Mutation.releaseResultAgain": Way(
        "releaseResultAgain(input: $input)", "($input: ReleaseResultAgainInput!)", _corrections(3), depth=2
    ),
    "Mutation.revokeResult": Way(
        "revokeResult(input: $input)", "($input: RevokeResultInput!)", _corrections(4), depth=2
    ),
    "Mutation.decideApplication": Way(
        "decideApplication(input: $input)", "($input: DecideApplicationInput!)",
        lambda scene, _: [{"input": {"id": gid(scene.rows["application"]), "approve": False, "reason": "A reason."}}],
        depth=2,
    ),
    "Mutation.changeInstitution": Way(
        "changeInstitution(input: $input)", "($input: ChangeInstitutionInput!)",
        lambda scene, _: [{"input": {"id": gid(scene.rows["shut"])}}], depth=2,
    ),
    "Mutation.mergeInstitutions": Way(
        "mergeInstitutions(input: $input)", "($input: MergeInstitutionsInput!)", _merging, depth=2
    ),
    "Mutation.inviteInstitution": Way(
        "inviteInstitution(input: $input)", "($input: InviteInstitutionInput!)",
        lambda *_: [{"input": {"name": "A college", "email": "a@b.example", "website": "b.example"}}],
    ),
    "Mutation.addUser": Way(
        "addUser(input: $input)", "($input: AddUserInput!)",
        lambda *_: [{"input": {"name": "A user", "email": "user@office.example"}}], depth=2,
    ),
    "Mutation.createTemplate": Way(
        "createTemplate(input: $input)", "($input: CreateTemplateInput!)",
        lambda scene, _: [{"input": {"name": "A copy", "copyOf": gid(scene.rows["template"])}}], depth=2,
    ),
    "Mutation.changeTemplate": Way(
        "changeTemplate(input: $input)", "($input: ChangeTemplateInput!)",
        lambda scene, _: [{"input": {"id": gid(scene.rows["template"]), "expectedVersion": 1}}], depth=2,
    ),
    "Mutation.changeUser": Way(
        "changeUser(input: $input)", "($input: ChangeUserInput!)",
        lambda scene, _: [{"input": {"id": gid(scene.rows["home user"]), "language": "en"}}], depth=2,
    ),
    "Mutation.resendInvitation": Way(
        "resendInvitation(input: $input)", "($input: ResendInvitationInput!)",
        lambda scene, _: [{"input": {"id": gid(scene.rows["newcomer"])}}], depth=2,
    ),
    "Mutation.handOverPrimary": Way(
        "handOverPrimary(input: $input)", "($input: HandOverPrimaryInput!)",
        lambda scene, _: [{"input": {"userId": gid(scene.rows["home user"])}}], depth=2,
    ),
    "Mutation.createKey": Way(
        "createKey(input: $input)", "($input: CreateKeyInput!)",
        lambda *_: [{"input": {"name": "A key", "scopes": ["VERIFY"]}}], depth=2,
    ),
    "Mutation.revokeKey": Way(
        "revokeKey(input: $input)", "($input: RevokeKeyInput!)",
        lambda scene, _: [{"input": {"id": gid(scene.rows["key"])}}], depth=2,
    ),
    "Mutation.decideJoinRequest": Way(
        "decideJoinRequest(input: $input)", "($input: DecideJoinRequestInput!)",
        lambda scene, _: [{"input": {"id": gid(scene.rows["join request"]), "accept": True}}], depth=2,
    ),
    "Mutation.suspendInstitution": Way(
        "suspendInstitution(input: $input)", "($input: SuspendInstitutionInput!)",
        lambda scene, _: [{"input": {"id": gid(scene.rows["closing"]), "reason": "A reason."}}], depth=2,
    ),
    "Mutation.reinstateInstitution": Way(
        "reinstateInstitution(input: $input)", "($input: ReinstateInstitutionInput!)",
        lambda scene, _: [{"input": {"id": gid(scene.rows["closing"])}}], depth=2,
    ),
    "Mutation.createWebhook": Way(
        "createWebhook(input: $input)", "($input: CreateWebhookInput!)",
        lambda *_: [{"input": {"url": "https://new.example/hook"}}], depth=2,
    ),
    **{
        f"Mutation.{name}": Way(
            f"{name}(input: $input)", f"($input: {name[0].upper()}{name[1:]}Input!)",
            _about_webhook(more), depth=2,
        )
        for name, more in (
            ("changeWebhook", {"isPaused": True}), ("rotateWebhookSecret", {}), ("replayWebhook", {"after": "0.0"})
        )
    },
    "Mutation.createSandbox": Way(
        "createSandbox(input: $input)", "($input: CreateSandboxInput!)", lambda *_: [{"input": {}}], depth=2,
    ),
    "Mutation.requestDownload": Way(
        "requestDownload(input: $input)", "($input: RequestDownloadInput!)", lambda *_: [{"input": {"filter": {}}}],
        depth=2,
    ),
    "Mutation.repeatDownload": Way(
        "repeatDownload(input: $input)", "($input: RepeatDownloadInput!)",
        lambda scene, _: [{"input": {"id": gid(scene.rows["download"])}}], depth=2,
    ),
    "Subscription.downloadProgress": Way(
        "downloadProgress(id: $id)", "($id: ID!)", lambda scene, _: [{"id": id} for id in scene.ids("Download")],
        depth=2,
    ),
    "Subscription.newShares": Way('newShares(after: "0.0")'),
    "Subscription.resultChanges": Way('resultChanges(after: "0.0")'),
    "Mutation.resetSandbox": Way(
        "resetSandbox(input: $input)", "($input: ResetSandboxInput!)", _resets, depth=2,
    ),
}  # fmt: skip


@cache
def document(name: str, way: Way) -> str:
    """The operation for a way, which asks for everything that it leads to."""
    root, _, field = name.partition(" ")[0].partition(".")
    everything = Everything()
    leads_to = way.on or get_named_type(fields_of(root)[field].type).name
    selection = everything.of(leads_to, way.depth)
    if way.on:
        selection = f"{{ __typename ... on {way.on} {selection} }}"
    return everything.document(f"{root.lower()} {way.declares} {{ {way.call} {selection} }}")


async def everything_told(scene: Scene, app: Starlette, client: Client, asker: Asker) -> dict[str, Said]:
    """What one asker is answered by each way; orders come last."""
    return {name: await told_by(name, scene, app, client, asker) for name in scene.ways}


async def told_by(name: str, scene: Scene, app: Starlette, client: Client, asker: Asker) -> Said:
    """What one asker is answered by one way."""
    way = scene.ways[name]
    variables, asked = way.variables(scene, asker), document(name, way)
    if name.startswith("Subscription."):
        return said(*[one for each in variables for one in await _streamed(app, asked, each, asker, way.is_last)])
    answers = [await client.as_(asker.token).post(asked, **one) for one in variables]
    return said(*(without(answer.json(), way.leaves_out) for answer in answers))


def without(body: Any, names: tuple[str, ...]) -> Any:
    """The body, its fields of these names gone."""
    for one in _within(body):
        for name in names if isinstance(one, dict) else ():
            one.pop(name, None)
    return body


async def _streamed(
    app: Starlette, query: str, variables: Variables, asker: Asker, is_last: Callable[[Any], bool]
) -> list[Any]:
    """What a stream tells until it ends, or until what everybody is told last."""
    results: list[Any] = []
    async with events(app, query, variables, asker.token) as stream:
        while (result := await stream.next()) is not None:
            results.append(result)
            if is_last(result):
                break
    return results
