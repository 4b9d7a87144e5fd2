"""What is filled in of an institution, and what is wrong with it."""

import unicodedata
from dataclasses import dataclass, fields, replace
from urllib.parse import urlsplit

from errors import Problem
from models import timezones
from models.domains import domain_of_site

LONGEST = 200
SCHEMES = ("http", "https")


def one_line(text: str) -> str:
    """A text on one line, without signs that cannot be seen at its ends."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def text_problems(path: str, text: str, longest: int = LONGEST) -> list[Problem]:
    """What is wrong with a name of something: it must be there, readable, and not too long."""
    if not any(unicodedata.category(sign)[0] in "LN" for sign in text):
        return [Problem(path, "Please fill in this field.")]
    if len(text) > longest:
        return [Problem(path, "This is too long.")]
    return []


def written_site(website: str) -> str:
    """The address of a site as it is kept: with `https://` where somebody left it out."""
    website = one_line(website)
    return website if "://" in website or not website else f"https://{website}"


def site_problems(website: str) -> list[Problem]:
    """What is wrong with the address of a site, as it is kept."""
    known = domain_of_site(website) is not None and urlsplit(website).scheme.lower() in SCHEMES
    if known and len(website) <= LONGEST and " " not in website:
        return []
    return [Problem("website", "The website is not complete; it looks like https://www.example.org.")]


def country_problems(country: str) -> list[Problem]:
    """What is wrong with a country."""
    if country in timezones.countries():
        return []
    return [Problem("country", "The country must be one of two capital letters, such as JP.")]


@dataclass(frozen=True, slots=True)
class Details:
    """What everybody may know of an institution; `kind` is checked by whoever takes it."""

    name: str
    department: str | None
    country: str
    city: str
    website: str

    def tidied(self) -> "Details":
        """The same on one line each; an empty department is none."""
        texts = {field.name: one_line(getattr(self, field.name) or "") for field in fields(self)}
        department = texts.pop("department") or None
        site = written_site(texts.pop("website"))
        return replace(self, **texts, department=department, website=site)

    def problems(self) -> list[Problem]:
        """All that is wrong, of tidied ones."""
        found = text_problems("name", self.name) + text_problems("city", self.city)
        if self.department is not None:
            found += text_problems("department", self.department)
        return found + country_problems(self.country) + site_problems(self.website)
