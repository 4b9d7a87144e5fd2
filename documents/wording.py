"""What documents say, in English and Japanese; titles of exams, headlines and names are never translated (A12)."""

from datetime import date

from babel.dates import format_date

LANGUAGES = ("en", "ja")
DAYS = {"en": "d MMMM y", "ja": "y年M月d日"}

STATEMENT = {
    "en": {
        "title": "Statement of Results",
        "number": "Statement number",
        "candidate": "Candidate",
        "qualification": "Qualification",
        "exam_date": "Date of exam",
        "centre": "Exam centre",
        "certificate": "Certificate number",
        "result": "Result",
        "grade": "Grade",
        "cefr": "CEFR level",
        "overall": "Overall score",
        "skills": "Scores for each skill",
        "notices": "Please note",
        "issued": "Issued",
        "version": "Version {version}",
        "scale": "{label}, on the scale from {lowest} to {highest}",
        "replaces": "This is version {version}. It replaces version {former}, which no longer stands.",
        "check": "Check this statement",
        "check_how": "Scan the code, or open {address} and enter {code}. Only what the check page shows is up to date.",
        "signed": "This document carries the electronic signature of {organisation}. "
        "A program that shows PDF can tell whether it was changed.",
        "page": "Page {page} of {pages}",
    },
    "ja": {
        "title": "結果ステートメント",
        "number": "ステートメント番号",
        "candidate": "受検者",
        "qualification": "試験名",
        "exam_date": "試験日",
        "centre": "試験センター",
        "certificate": "認定証番号",
        "result": "試験結果",
        "grade": "評価",
        "cefr": "CEFR レベル",
        "overall": "総合評価スコア",
        "skills": "技能別スコア",
        "notices": "ご注意",
        "issued": "発行日",
        "version": "第{version}版",
        "scale": "{label}（{lowest}～{highest}）",
        "replaces": "これは第{version}版です。第{former}版は無効となり、この版に置き換えられました。",
        "check": "このステートメントの確認",
        "check_how": "コードを読み取るか、{address} を開いて {code} を入力してください。"
        "最新の状態は確認ページの表示によります。",
        "signed": "この文書には{organisation}の電子署名が付されています。改変の有無は PDF 閲覧ソフトで確認できます。",
        "page": "{page} / {pages} ページ",
    },
}

STATEMENTS = {  # several in one file
    "en": {
        "title": "Statements of Results",
        "count": "Statements",
        "name": "Candidate",
        "on_page": "Page",
        "made": "Ordered on {day}",
    },
    "ja": {
        "title": "結果ステートメント一覧",
        "count": "件数",
        "name": "受検者",
        "on_page": "ページ",
        "made": "申込日 {day}",
    },
}

OUTCOMES = {  # those without a grade, in place of a headline (R6)
    "FAIL": {"en": "Fail", "ja": "不合格 (Fail)"},
    "ABSENT_FROM_PART": {"en": "Absent from part (X)", "ja": "一部欠席 (X)"},
    "ABSENT_FROM_ALL": {"en": "Absent from all parts (Z)", "ja": "全部欠席 (Z)"},
}

SKILLS = {
    "READING": {"en": "Reading", "ja": "リーディング"},
    "WRITING": {"en": "Writing", "ja": "ライティング"},
    "READING_AND_WRITING": {"en": "Reading and Writing", "ja": "リーディング・ライティング"},
    "USE_OF_ENGLISH": {"en": "Use of English", "ja": "ユース・オブ・イングリッシュ"},
    "LISTENING": {"en": "Listening", "ja": "リスニング"},
    "SPEAKING": {"en": "Speaking", "ja": "スピーキング"},
}

CONFIRMATION = {
    "en": {
        "title": "Confirmation of Entry",
        "candidate": "Candidate",
        "qualification": "Exam",
        "exam_date": "Date of exam",
        "centre": "Exam centre",
        "candidate_number": "Candidate number",
        "results_by": "Results are out by",
        "id_number": "ID Number",
        "secret_number": "Secret Number",
        "see": "See your result",
        "see_how": "Register at {address} with both numbers, an e-mail address and a password of your own. "
        "From then on you log in with the ID Number and your password.",
        "keep": "Keep this page. The Secret Number is used once, to register. It is never a password, and we can not "
        "tell it again: if you lose it, your exam centre issues a new Confirmation of Entry.",
        "passed_on": "You may pass both numbers on to organisations that verify results.",
        "wrong": "Is your name or the exam wrong? Tell your exam centre before the exam.",
        "issue": "This is issue {issue}. The Secret Number of earlier issues no longer works.",
        "issued": "Issued",
    },
    "ja": {
        "title": "受検票",
        "candidate": "受検者",
        "qualification": "試験名",
        "exam_date": "試験日",
        "centre": "試験センター",
        "candidate_number": "受検番号",
        "results_by": "結果公開期限",
        "id_number": "ID ナンバー",
        "secret_number": "シークレットナンバー",
        "see": "結果の見かた",
        "see_how": "{address} を開き、両方の番号とご自身のメールアドレス、パスワードで登録してください。"
        "登録後は ID ナンバーとパスワードでログインします。",
        "keep": "この用紙は大切に保管してください。シークレットナンバーは登録時に一度だけ使います。"
        "パスワードではありません。再度お知らせすることはできないため、紛失した場合は試験センターが新しい受検票を発行します。",
        "passed_on": "両方の番号は、結果を確認する機関に伝えることができます。",
        "wrong": "氏名や試験名に誤りがある場合は、試験日の前に試験センターへご連絡ください。",
        "issue": "これは第{issue}回発行の受検票です。以前のシークレットナンバーは使えません。",
        "issued": "発行日",
    },
}


def day(moment: date, language: str) -> str:
    """A date as people write it: `20 September 2026`, `2026年9月20日`."""
    return format_date(moment, DAYS[language], locale=language)
