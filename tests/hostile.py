"""What a program, or somebody with bad intentions, may send where a text is asked for."""

HOSTILE = {
    "nothing": "",
    "blanks": " \t\n\u3000",
    "NUL": "\0",
    "NUL inside": "ABC\x00123456",
    "half a surrogate pair": "\ud800",
    "the other half": "ABC123456\udfff",
    "10,000 letters": "x" * 10_000,
    "10,000 digits": "1" * 10_000,
    "10,000 signs of four bytes": "𠮷" * 10_000,
    "60,000 accents out of order": "a" + "\u0301\u0327" * 30_000,
    "end of line": "ABC123456\r\nBcc: everybody@mail.example",
    "placeholders": "%s{0}:name$1\\",
    "quotation marks": "'; DROP TABLE candidate; --",
    "written from right to left": "\u202eABC123456\u2066",
}
