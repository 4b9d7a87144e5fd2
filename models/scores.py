"""Scores (R2, R12): the limits of a scale, and how the overall score of an exam follows from those of its skills."""

from collections.abc import Mapping


def score_problem(score: int, lowest: int | None, highest: int | None) -> str | None:
    """Why a score is none on a scale with these limits, inclusive; None if it is one."""
    if lowest is None or highest is None:
        return "This scale has no such score."
    return None if lowest <= score <= highest else f"{score} is not on the scale from {lowest} to {highest}."


def overall_of(scale: str, skills: Mapping[str, int]) -> int | None:
    """The overall score that follows from the scores of all skills of an exam; None where the scale has no rule.

    On the 80 to 230 scale the mean, halves up; in A2 Key reading and writing count twice. Of the sections the sum.
    """
    if not skills:
        return None
    if scale == "IBT120":
        return sum(skills.values())
    if scale != "CES":
        return None
    total = sum(skills.values()) + skills.get("READING_AND_WRITING", 0)
    parts = len(skills) + ("READING_AND_WRITING" in skills)
    return (2 * total + parts) // (2 * parts)


def camel(skill: str) -> str:
    """The name of a skill's column: `READING_AND_WRITING` as `readingAndWriting`."""
    first, *rest = skill.lower().split("_")
    return first + "".join(map(str.capitalize, rest))


SKILLS = ("READING", "USE_OF_ENGLISH", "WRITING", "LISTENING", "SPEAKING", "READING_AND_WRITING")
SKILL_COLUMNS = {skill: camel(skill) for skill in SKILLS}
