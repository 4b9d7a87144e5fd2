"""Download templates (D2): made, copied, changed and deleted by an office for all its users, and tried beforehand."""

import asyncio
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from starlette.applications import Starlette

from engine import database
from errors import NotAllowed
from models import template as rows
from models.exam import Exam
from models.institution import Institution
from models.layout import Column, Field, Layout
from models.result import Outcome, Result
from models.scope import Scope
from models.share import Share
from models.template import DownloadTemplate
from models.terms import Terms
from models.verifier import VerifierRole, VerifierUser
from models.viewer import Kind
from resolvers import default_template, templates
from resolvers.exams import load_reference_data
from resolvers.reading import SHARES
from resolvers.template_forms import Wishes
from schema import layout as types
from schema.ids import global_id
from tests.client import Client
from tests.conftest import START, Statements
from tests.printed import fields_of
from tests.shared_rows import layout_with, shared
from tests.world import World

CONTENT = """id name isDefault format delimiter encoding dateFormat header version
  columns { field examCode skill heading }"""
FAULTS = "... on InvalidInput { problems { path message } }"
MADE = f"... on TemplateCreated {{ template {{ {CONTENT} }} }} {FAULTS}"
CHANGED = (
    f"... on TemplateChanged {{ template {{ {CONTENT} }} }} {FAULTS} ... on TemplateChangedMeanwhile {{ version }}"
)
ALL = f"{{ organisation {{ templates {{ {CONTENT} }} }} }}"
PREVIEW = """query ($input: PreviewTemplateInput!) {
  previewTemplate(input: $input) { headings rows problems { path message } } }"""
DEFAULT = str(global_id("DownloadTemplate", default_template.ID))


@dataclass
class Office:
    """An institution, its Primary User, and a client that is logged in as them."""

    world: World
    institution: Institution
    user: VerifierUser
    client: Client

    async def colleague(self, **facts: Any) -> Client:
        """Another user of the institution."""
        return self.client.as_(await self.world.token(await self.world.verifier(self.institution, **facts)))

    async def key(self, *scopes: Scope) -> Client:
        """A program of the institution."""
        return self.client.as_((await self.world.key(self.institution, *scopes))[1])

    async def create(self, name: str = "Admission", **input: Any) -> Any:
        """A template that was made."""
        made = await self.client.order("createTemplate", MADE, name=name, **input)
        assert made["__typename"] == "TemplateCreated", made
        return made["template"]

    async def change(self, template: Any, **input: Any) -> Any:
        """What a change of it comes to."""
        expected = {"id": template["id"], "expectedVersion": template["version"]}
        return await self.client.order("changeTemplate", CHANGED, **expected | input)

    async def templates(self) -> list[Any]:
        """All of them, without the default one."""
        own: list[Any]
        _, *own = (await self.client.ask(ALL))["organisation"]["templates"]
        return own


async def office_of(world: World, client: Client, **facts: Any) -> Office:
    institution = await world.institution()
    user = await world.verifier(institution, **facts)
    return Office(world, institution, user, client.as_(await world.token(user)))


@pytest.fixture
async def office(app: Starlette, world: World, client: Client) -> Office:
    """An office that has no templates of its own."""
    return await office_of(world, client)


def named(*headings: str) -> list[dict[str, str]]:
    """Columns with these headings."""
    return [{"field": "NAME", "heading": heading} for heading in headings]


# ---- the default one


async def test_everybody_has_a_template_with_every_column(office: Office) -> None:
    """D2: in every database, and in the viewer's language."""
    (default,) = (await office.client.ask(ALL))["organisation"]["templates"]
    assert (default["id"], default["name"], default["isDefault"]) == (DEFAULT, "All columns", True)
    assert {column["field"] for column in default["columns"]} == {field.value for field in Field}
    exams = (await office.client.ask("{ exams { code skills scale { skillMin } } }"))["exams"]
    skills = {(one["code"], skill) for one in exams if one["scale"]["skillMin"] is not None for skill in one["skills"]}
    scores = [column for column in default["columns"] if column["field"] == "SKILL_SCORE"]
    assert len(scores) == len(skills) == 54
    assert {(column["examCode"], column["skill"]) for column in scores} == skills
    japanese = await office.colleague(language="ja")
    (default,) = (await japanese.ask(ALL))["organisation"]["templates"]
    assert default["name"] == "すべての項目"
    headings = [column["heading"] for column in default["columns"]]
    successor = "iBT Home Edition (IBT_HOME_2026): リーディング"
    assert {"氏名", "C1 Advanced: リーディング", "iBT Home Edition: リーディング", successor} < set(headings)
    assert len(set(headings)) == len(headings)


async def test_a_new_exam_is_in_the_default_template_at_once(office: Office) -> None:
    """D2: nobody has to think of it."""
    facts: dict[str, Any] = {"title": "D1 Sublime", "scale_id": "CES", "photo": False, "first_date": "2026-01-01"}
    try:
        await Exam.create(code="D1_SUBLIME", skills=["READING"], **facts)
        layout = await templates.layout_of(office.world.viewer(Kind.VERIFIER, office.user.id))
        assert "D1 Sublime: Reading" in layout.headings
    finally:
        await Exam.filter(code="D1_SUBLIME").delete()
        await load_reference_data()


async def test_the_default_template_is_fetched_like_any_other(office: Office) -> None:
    """P5: by those who have templates, and nobody else."""
    asked = "query ($id: ID!) { node(id: $id) { ... on DownloadTemplate { isDefault } } }"
    assert (await office.client.ask(asked, id=DEFAULT))["node"] == {"isDefault": True}
    candidate = office.client.as_(await office.world.token(await office.world.candidate()))
    for other in (candidate, office.client.as_(None), await office.key(Scope.READ_SHARES)):
        assert (await other.ask(asked, id=DEFAULT))["node"] is None


async def test_the_default_template_stays_as_it_is(office: Office) -> None:
    """D2: it is changed and deleted by nobody, and can be copied."""
    refused = await office.client.order("changeTemplate", "", id=DEFAULT, expectedVersion=1, name="Mine")
    assert refused["__typename"] == "DefaultTemplateStays"
    refused = await office.client.order("deleteTemplate", "", id=DEFAULT)
    assert refused["__typename"] == "DefaultTemplateStays"
    copy = await office.create("Mine", copyOf=DEFAULT)
    (default, own) = (await office.client.ask(ALL))["organisation"]["templates"]
    assert own == copy
    assert copy["columns"] == default["columns"]
    assert not copy["isDefault"]


# ---- making, copying, changing, deleting


async def test_a_template_is_shared_within_its_institution(office: Office, client: Client) -> None:
    """D2, U3: all of it is as it was asked for, for every user there and nobody elsewhere."""
    asked: dict[str, Any] = {
        "format": "XLSX", "delimiter": "TAB", "encoding": "SHIFT_JIS", "dateFormat": "JAPANESE", "header": False,
        "columns": [
            {"field": "NATIVE_NAME", "examCode": None, "skill": None, "heading": "氏　名"},
            {"field": "SKILL_SCORE", "examCode": "B2_FIRST", "skill": "LISTENING", "heading": "=1+1"},
            {"field": "SKILL_SCORE", "examCode": None, "skill": "READING", "heading": " r "},
        ],
    }  # fmt: skip
    made = await office.create("  Law\tfaculty ", **asked)
    assert made == asked | {"id": made["id"], "name": "Law faculty", "isDefault": False, "version": 1}
    for role in VerifierRole:
        colleague = await office.colleague(role=role)
        assert (await colleague.ask(ALL))["organisation"]["templates"][1:] == [made]
    elsewhere = await office_of(office.world, client)
    assert await elsewhere.templates() == []


async def test_a_column_gets_the_usual_heading_in_the_viewers_language(office: Office) -> None:
    """D2, A12"""
    columns = [{"field": "CEFR"}, {"field": "SKILL_SCORE", "skill": "WRITING"}]
    columns.append({"field": "SKILL_SCORE", "skill": "WRITING", "examCode": "C1_ADVANCED"})
    made = await office.create(columns=columns)
    assert [one["heading"] for one in made["columns"]] == ["CEFR level", "Writing", "C1 Advanced: Writing"]
    office.client = await office.colleague(language="ja")
    made = await office.create("二", columns=columns)
    assert [one["heading"] for one in made["columns"]] == ["CEFR レベル", "ライティング", "C1 Advanced: ライティング"]


async def test_a_copy_is_as_the_original_but_for_what_is_asked(office: Office) -> None:
    """D2"""
    original = await office.create(columns=named("a", "b"), delimiter="PIPE", header=False)
    copy = await office.create("Copy", copyOf=original["id"], delimiter="SEMICOLON")
    assert copy == original | {"id": copy["id"], "name": "Copy", "delimiter": "SEMICOLON"}
    await office.change(original, columns=named("c"))
    await office.client.order("deleteTemplate", "", id=original["id"])
    assert await office.templates() == [copy]


async def test_a_change_keeps_what_it_does_not_name(office: Office) -> None:
    """D2"""
    made = await office.create(columns=named("a", "b"), dateFormat="DAY_FIRST")
    changed = (await office.change(made, encoding="UTF_8_BOM"))["template"]
    assert changed == made | {"encoding": "UTF_8_BOM", "version": 2}
    changed = (await office.change(changed, name="Another", columns=named("b", "a")))["template"]
    assert changed["version"] == 3
    assert changed["name"] == "Another"
    assert await office.templates() == [changed]


async def test_of_two_who_change_a_template_the_second_is_told(office: Office) -> None:
    """D2: nobody's columns are lost because somebody else had the page open."""
    seen = await office.create(columns=named("a"))
    first = await office.change(seen, columns=named("a", "b"))
    second = await office.change(seen, columns=named("c"))
    assert (second["__typename"], second["version"]) == ("TemplateChangedMeanwhile", 2)
    assert await office.templates() == [first["template"]]
    again = await office.change(seen, columns=named("a", "b"))  # as after an answer that was lost
    assert again == first


async def test_changes_at_the_same_time_come_one_behind_the_other(office: Office) -> None:
    """D2: of several who saw the same version one is taken."""
    seen = await office.create()
    wanted = [f"column {number}" for number in range(5)]
    answers = await asyncio.gather(*(office.change(seen, columns=named(one)) for one in wanted))
    assert sorted(one["__typename"] for one in answers) == ["TemplateChanged"] + ["TemplateChangedMeanwhile"] * 4
    (template,) = await office.templates()
    assert template["version"] == 2


async def test_a_deleted_template_stays_in_what_was_made_by_it(office: Office) -> None:
    """D3: a download keeps what the template was."""
    made = await office.create(columns=named("a", "b"), dateFormat="MONTH_FIRST", encoding="SHIFT_JIS")
    template = await DownloadTemplate.get()
    viewer = office.world.viewer(Kind.VERIFIER, office.user.id, institution_id=office.institution.id)
    kept = (await templates.layout_of(viewer, template.id)).as_json()
    deleted = await office.client.order("deleteTemplate", "... on TemplateDeleted { message }", id=made["id"])
    assert deleted == {"__typename": "TemplateDeleted", "message": "The template is deleted."}
    again = await office.client.order("deleteTemplate", "", id=made["id"])
    assert again["__typename"] == "TemplateNotFound"
    layout = Layout.from_json(kept)
    assert (layout.name, layout.headings) == ("Admission", ["a", "b"])
    assert layout.as_json() == kept


# ---- who may


async def orders(client: Client, template_id: str) -> list[str]:
    """What each order with this template comes to, by name."""
    created = await client.order("createTemplate", "", name="A copy", copyOf=template_id)
    changed = await client.order("changeTemplate", "", id=template_id, expectedVersion=1, header=False)
    deleted = await client.order("deleteTemplate", "", id=template_id)
    return [created["__typename"], changed["__typename"], deleted["__typename"]]


DONE = ["TemplateCreated", "TemplateChanged", "TemplateDeleted"]


async def test_strangers_candidates_and_staff_make_no_templates(office: Office) -> None:
    """U3"""
    made = await office.create()
    assert await orders(office.client.as_(None), made["id"]) == ["NotLoggedIn"] * 3
    for other in (await office.world.candidate(), await office.world.staff()):
        assert await orders(office.client.as_(await office.world.token(other)), made["id"]) == ["NotAllowed"] * 3
    assert await office.templates() == [made]


async def test_another_institutions_template_is_not_there(office: Office, client: Client) -> None:
    """U3: for none of the orders, and no preview."""
    made = await office.create(columns=named("Hidden"))
    elsewhere = await office_of(office.world, client)
    assert await orders(elsewhere.client, made["id"]) == ["TemplateNotFound"] * 3
    assert await orders(await elsewhere.key(Scope.MANAGE), made["id"]) == ["TemplateNotFound"] * 3
    preview = await elsewhere.client.ask(PREVIEW, input={"templateId": made["id"]})
    assert preview == {"previewTemplate": None}
    assert await office.templates() == [made]


async def test_those_who_may_only_read_see_templates_and_change_none(office: Office) -> None:
    """U2"""
    made = await office.create(columns=named("Hidden"))
    reader = await office.colleague(role=VerifierRole.READER)
    assert await orders(reader, made["id"]) == ["NotAllowed"] * 3
    assert (await reader.ask(PREVIEW, input={"templateId": made["id"]}))["previewTemplate"]["headings"] == ["Hidden"]
    assert await office.templates() == [made]


async def test_an_officer_keeps_templates(office: Office) -> None:
    """D2"""
    made = await office.create()
    assert await orders(await office.colleague(), made["id"]) == DONE


async def test_a_key_keeps_templates_as_far_as_its_scopes_go(office: Office) -> None:
    """P1: MANAGE changes them, DOWNLOAD reads them, the others see none."""
    made = await office.create()
    asked = "query ($id: ID!) { node(id: $id) { id } }"
    for scope in set(Scope) - {Scope.MANAGE}:
        key = await office.key(scope)
        assert await orders(key, made["id"]) == ["NotAllowed"] * 3
        sees = scope is Scope.DOWNLOAD
        assert (await key.ask(asked, id=made["id"]))["node"] == ({"id": made["id"]} if sees else None)
        assert ((await key.ask(PREVIEW, input={}))["previewTemplate"] is not None) == sees
        listed = (await key.ask(ALL))["organisation"]["templates"]
        assert [one["id"] for one in listed] == ([DEFAULT, made["id"]] if sees else [])
    assert await orders(await office.key(Scope.MANAGE), made["id"]) == DONE


async def test_nobody_of_a_suspended_institution_has_templates(office: Office) -> None:
    """O3: a key is told so, whatever it asks."""
    made = await office.create()
    key = await office.key(Scope.MANAGE, Scope.DOWNLOAD)
    await office.world.suspend(office.institution)
    assert await orders(office.client, made["id"]) == ["NotLoggedIn"] * 3
    assert (await office.client.ask(PREVIEW, input={}))["previewTemplate"] is None
    (error,) = await key.errors(PREVIEW, input={})
    assert error["extensions"]["code"] == "UNAUTHENTICATED"


async def test_an_institution_that_is_suspended_meanwhile_changes_nothing(office: Office) -> None:
    """O3: the order looks again once it has begun."""
    viewer = office.world.viewer(Kind.VERIFIER, office.user.id, institution_id=office.institution.id)
    await office.world.suspend(office.institution)
    with pytest.raises(NotAllowed):
        await templates.create(viewer, Wishes(name="Late"))
    assert await DownloadTemplate.all().count() == 0


# ---- what is refused


async def problems(office: Office, **input: Any) -> dict[str, str]:
    """What is wrong with a template that is to be made, by path; the preview says the same but for its name."""
    refused = await office.client.order("createTemplate", MADE, **{"name": "A template"} | input)
    assert refused["__typename"] == "InvalidInput", refused
    found = {one["path"]: one["message"] for one in refused["problems"]}
    input.pop("name", None)
    preview = (await office.client.ask(PREVIEW, input=input))["previewTemplate"]
    told = {one["path"]: one["message"] for one in preview["problems"]}
    assert told == {path: message for path, message in found.items() if path != "name"}
    assert not told or preview["rows"] == preview["headings"] == []
    return found


async def test_every_fault_of_a_template_is_told_with_its_column(office: Office) -> None:
    """D2"""
    skill = {"field": "SKILL_SCORE"}
    columns: list[dict[str, Any]] = [
        *named("Name", "nAME", "", "  ", "x" * 101, "two\nlines", "x\u2028", "\0", "x" * 100, "氏名 𠮷"),
        {"field": "CEFR", "skill": "READING", "examCode": "C1_ADVANCED"},
        skill,
        skill | {"skill": "READING", "examCode": "NOTHING"},
        skill | {"skill": "READING", "examCode": "\0"},
        skill | {"skill": "USE_OF_ENGLISH", "examCode": "A2_KEY"},
        skill | {"skill": "READING", "examCode": "PET_STD100"},
    ]
    found = await problems(office, columns=columns, name="\u200b", encoding="SHIFT_JIS")
    of_heading = "A heading has 1 to 100 characters."
    not_plain = "A heading is one line of signs that can be seen."
    no_exam = "There is no exam with this code."
    assert found == {
        "name": "Please fill in this field.",
        "columns[1].heading": "Another column has this heading already.",
        **{f"columns[{place}].heading": of_heading for place in (2, 3, 4)},
        **{f"columns[{place}].heading": not_plain for place in (5, 6, 7)},
        "columns[9].heading": "Shift_JIS cannot carry 𠮷. Choose UTF-8, or another heading.",
        **{
            f"columns[10].{name}": "Only the score for a skill has an exam and a skill."
            for name in ("examCode", "skill")
        },
        "columns[11].skill": "Say for which skill.",
        "columns[11].heading": of_heading,
        "columns[12].examCode": no_exam,
        "columns[13].examCode": no_exam,
        "columns[13].heading": "Another column has this heading already.",
        "columns[14].skill": "A2 Key has no score for this skill.",
        "columns[15].skill": "Preliminary English Test has no score for this skill.",
    }
    assert await office.templates() == []


async def test_a_template_has_one_to_two_hundred_columns(office: Office) -> None:
    """D2: both sides of either edge."""
    assert await problems(office, columns=[]) == {"columns": "Choose at least one column."}
    many = named(*map(str, range(201)))
    assert await problems(office, columns=many) == {"columns": "A template has at most 200 columns."}
    assert len((await office.create(columns=many[:200]))["columns"]) == 200


async def test_a_name_is_taken_in_any_case(office: Office) -> None:
    """D2: within an institution; also for one that is renamed, but not by itself."""
    first, second = await office.create("Admission"), await office.create("Exchange")
    taken = {"name": "Your organisation has a template with this name already."}
    assert await problems(office, name="ADMISSION ") == taken
    refused = await office.change(second, name="admission")
    assert {one["path"]: one["message"] for one in refused["problems"]} == taken
    assert (await office.change(first, name="ADMISSION"))["template"]["name"] == "ADMISSION"
    other = await office_of(office.world, office.client)
    assert (await other.create("Admission"))["name"] == "Admission"


async def test_of_several_who_give_one_name_at_the_same_time_one_gets_it(office: Office) -> None:
    """D2: the others are told so, and nothing fails."""
    answers = await asyncio.gather(*(office.client.order("createTemplate", MADE, name="Same") for _ in range(5)))
    assert sorted(one["__typename"] for one in answers) == ["InvalidInput"] * 4 + ["TemplateCreated"]


async def test_an_institution_has_two_hundred_templates_at_most(office: Office, statements: Statements) -> None:
    """D2: and reads them all by as many statements as one."""
    await office.create("First")
    with statements.counted():
        await office.templates()
    alone = len(statements)
    await database.rows(
        """INSERT INTO download_template (id, institution_id, name, format, columns, delimiter, encoding, date_format,
                                          header, version, created_at)
           SELECT gen_random_uuid(), institution_id, 'Template ' || number, format, columns, delimiter, encoding,
                  date_format, header, version, created_at FROM download_template, generate_series(1, 198) AS number"""
    )
    with statements.counted():
        assert len(await office.templates()) == 199
    assert len(statements) == alone <= 5
    answers = await asyncio.gather(*(office.client.order("createTemplate", MADE, name=name) for name in ("A", "B")))
    refused, made = sorted(answers, key=lambda one: one["__typename"] == "TemplateCreated")
    assert made["__typename"] == "TemplateCreated"
    assert [one["message"] for one in refused["problems"]] == [
        "Your organisation has 200 templates already: delete one first."
    ]


async def test_faults_are_told_in_the_viewers_language(office: Office) -> None:
    """A12"""
    office.client = await office.colleague(language="ja")
    assert await problems(office, columns=named("a", "a")) == {"columns[1].heading": "ほかの列に同じ見出しがあります。"}


# ---- previews


async def test_a_preview_shows_invented_candidates_of_all_exams(office: Office) -> None:
    """D2: for a template as it is stored, with and without changes; nothing is stored by it."""
    made = await office.create(columns=[{"field": "EXAM_CODE"}, {"field": "SKILL_SCORE", "skill": "LISTENING"}])
    preview = (await office.client.ask(PREVIEW, input={"templateId": made["id"]}))["previewTemplate"]
    assert preview["headings"] == ["Exam code", "Listening"]
    exams = [one["code"] for one in (await office.client.ask("{ exams { code } }"))["exams"]]
    assert [row[0] for row in preview["rows"]] == exams
    scores = [row[1] for row in preview["rows"]]
    assert all(score == "" or 0 <= int(score) <= 230 for score in scores)
    assert {"", "21"} < set(scores)
    columns = [{"field": "DATE_OF_BIRTH"}, {"field": "PURPOSE", "heading": "Why"}]
    wished = {"templateId": made["id"], "columns": columns, "dateFormat": "DAY_FIRST"}
    preview = (await office.client.ask(PREVIEW, input=wished))["previewTemplate"]
    assert preview["headings"] == ["Date of birth", "Why"]
    assert preview["rows"][0] == ["03/02/2001", "Admission, spring term"]
    assert "'=visa" in [row[1] for row in preview["rows"]]
    assert await office.templates() == [made]


async def test_a_preview_of_a_spreadsheet_has_no_marks_before_formulas(office: Office) -> None:
    """D5: only a CSV needs them."""
    asked = {"columns": [{"field": "PURPOSE"}], "format": "XLSX"}
    preview = (await office.client.ask(PREVIEW, input=asked))["previewTemplate"]
    assert ["=visa"] in preview["rows"]


async def test_the_default_template_can_be_tried_too(office: Office) -> None:
    """D2: with something in every column."""
    preview = (await office.client.ask(PREVIEW, input={}))["previewTemplate"]
    filled = {
        heading for place, heading in enumerate(preview["headings"]) if any(row[place] for row in preview["rows"])
    }
    assert set(preview["headings"]) == filled


# ---- what stands in the columns is what the API tells


def test_every_field_is_offered_to_clients() -> None:
    """D2: the schema's enumerations are the models'."""
    for ours, told in (
        (Field, types.DownloadField),
        (rows.DownloadFormat, types.DownloadFormat),
        (rows.Encoding, types.Encoding),
        (rows.Delimiter, types.Delimiter),
        (rows.DateFormat, types.DateFormat),
    ):
        assert [one.name for one in ours] == [one.name for one in told]
    assert set(default_template.HEADINGS) == set(Field) - {Field.SKILL_SCORE}
    assert "columns" in fields_of("DownloadTemplate")


IN_THE_API = """query ($id: ID!) { share(id: $id) {
  SHARE_ID: id SENT_AT: sentAt READ_STATUS: status OPENED_AT: openedAt PURPOSE: purpose REFERENCE: reference
  EXPIRES_AT: expiresAt
  includes { INCLUDES_SKILLS: skills INCLUDES_PHOTO: photo }
  consent { CONSENT_TEXT: text CONSENT_VERSION: version CONSENT_LANGUAGE: language
            INSTITUTION_NAME_SHOWN: institutionName }
  candidate { CANDIDATE_ID: id FAMILY_NAME: familyName GIVEN_NAME: givenName NAME: name NATIVE_NAME: nativeName
              DATE_OF_BIRTH: dateOfBirth }
  result { RESULT_ID: id RESULT_STATUS: status OUTCOME: outcome HEADLINE: headline GRADE: grade CEFR: cefr
           OVERALL_SCORE: overallScore OVERALL_SCORE_SHOWN: overallScoreShown SCALE: scale QUALIFICATION: qualification
           EXAM_DATE: examDate STATEMENT_NUMBER: statementNumber CERTIFICATE_NUMBER: certificateNumber
           VERSION: version RELEASED_AT: releasedAt skillScores { skill score }
           exam { EXAM_CODE: code } centre { CENTRE_NUMBER: number CENTRE_NAME: name } } } }"""


def flat(told: dict[str, Any]) -> dict[str, Any]:
    """The values of an answer that are named like fields of downloads, wherever they stand."""
    found = {name: value for name, value in told.items() if name.isupper()}
    for value in told.values():
        found |= flat(value) if isinstance(value, dict) else {}
    return found


def as_told(cell: Any) -> Any:
    """A cell as the API writes it."""
    return cell.isoformat() if isinstance(cell, date) else cell


CHANGES: dict[str, dict[str, Any]] = {
    "as it was sent": {},
    "revoked": {"revoked_at": START},
    "withheld": {"withheld_at": START},
    "without an award": {
        "outcome": Outcome.ABSENT_FROM_PART,
        **dict.fromkeys(("headline", "cefr", "overall_score", "certificate_number")),
    },
}


@pytest.mark.parametrize("includes_skills", [True, False])
@pytest.mark.parametrize("change", CHANGES)
async def test_a_column_holds_what_the_api_tells(office: Office, change: str, includes_skills: bool) -> None:
    """D2, R6, R11, S9: field by field, so that no file tells more or other things than the inbox."""
    result = await office.world.result(certificate_number="C0012345")
    terms = Terms(
        purpose="Admission", reference="00123", expires_at=START + timedelta(days=9), includes_skills=includes_skills
    )
    share_id = await office.world.share(result, office.institution, terms)
    await Result.filter(id=result.id).update(**CHANGES[change])
    await Share.filter(id=share_id).update(opened_at=START, is_read=True)
    told = (await office.client.ask(IN_THE_API, id=str(global_id("Share", share_id))))["share"]
    viewer = office.world.viewer(Kind.VERIFIER, office.user.id, institution_id=office.institution.id)
    layout = await templates.layout_of(viewer)
    cells = layout.cells((await SHARES.by_ids(viewer, [share_id]))[share_id])
    written = dict(zip(layout.keys, map(as_told, cells), strict=True))
    api = flat(told)
    assert {key: cell for key, cell in written.items() if isinstance(key, str)} == api
    assert set(api) == {field.value for field in Field} - {"SKILL_SCORE"}
    scores = {("C1_ADVANCED", one["skill"]): one["score"] for one in told["result"]["skillScores"] or ()}
    assert {key: cell for key, cell in written.items() if isinstance(key, tuple) and cell is not None} == scores
    assert bool(scores) == (includes_skills and change == "as it was sent")


def test_a_score_for_a_skill_is_of_one_exam_or_of_any() -> None:
    """D2"""
    row = {
        "exam_code": "B2_FIRST", "skill_scores": [["READING", 171], ["WRITING", 165]], "includes_skills": True,
    }  # fmt: skip
    wanted = [("B2_FIRST", "READING"), ("C1_ADVANCED", "READING"), (None, "WRITING"), (None, "SPEAKING")]
    layout = layout_with(*(Column(Field.SKILL_SCORE, str(place), *one) for place, one in enumerate(wanted)))
    assert layout.cells(shared(**row)) == [171, None, 165, None]
