"""The page on which an office keeps its templates: all that it asks, by a browser's means (D2)."""

import re
from typing import Any

import pytest

from models.template import DateFormat, Delimiter, DownloadFormat, Encoding
from tests.client import Client
from tests.scripts import STATIC, operations_of
from tests.world import PASSWORD, World

OPERATIONS = operations_of("templates")


async def test_the_page_makes_changes_tries_and_deletes_templates(client: Client, world: World) -> None:
    """D2"""
    user = await world.verifier(await world.institution("Keio University"), language="ja")

    async def asks(operation: str, **variables: Any) -> Any:
        body = {"query": OPERATIONS[operation], "variables": variables}
        answer = await client.http.post("/graphql", json=body, headers={"Origin": "http://testserver"})
        return next(reversed(answer.json()["data"].values()))

    assert await asks("OFFICE") is None
    await asks("LOG_IN", input={"email": user.email, "password": PASSWORD, "useCookie": True})
    (default,) = (await asks("OFFICE"))["templates"]
    columns = default["columns"][:3]
    layout = {name: default[name] for name in ("format", "dateFormat", "delimiter", "encoding", "header")}
    preview = await asks("PREVIEW", input=layout | {"columns": columns})
    assert preview["headings"] == ["姓（ローマ字）", "名（ローマ字）", "氏名（ローマ字）"]
    assert preview["rows"][0] == ["Tanaka", "Aoi", "Aoi Tanaka"]
    twice = layout | {"name": "入学", "columns": [*columns, columns[0]]}
    refused = await asks("CREATE", input=twice)
    assert refused["problems"] == [{"path": "columns[3].heading", "message": "ほかの列に同じ見出しがあります。"}]
    assert await asks("CREATE", input=twice | {"columns": columns}) == {"__typename": "TemplateCreated"}
    _, own = (await asks("OFFICE"))["templates"]
    change = layout | {"id": own["id"], "expectedVersion": own["version"], "name": "入試", "columns": columns[:1]}
    assert await asks("CHANGE", input=change) == {"__typename": "TemplateChanged"}
    assert (await asks("OFFICE"))["templates"][1]["name"] == "入試"
    deleted = await asks("DELETE", input={"id": own["id"]})
    assert deleted == {"__typename": "TemplateDeleted", "message": "テンプレートを削除しました。"}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("format", [one.name for one in DownloadFormat]),
        ("date", [one.name for one in DateFormat]),
        ("delimiter", [one.name for one in Delimiter]),
        ("encoding", [one.name for one in Encoding]),
    ],
)
def test_the_page_offers_every_choice(name: str, values: list[str]) -> None:
    """D2"""
    page = (STATIC / "templates.html").read_text("utf-8")
    [select] = re.findall(rf'<select id="{name}"[^>]*>(.+?)</select>', page)
    assert re.findall(r'<option(?: value="(\w+)")?>(\w*)', select) != []
    assert [value or text for value, text in re.findall(r'<option(?: value="(\w+)")?>([^<]*)', select)] == values
