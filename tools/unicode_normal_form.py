"""Prints text/normal_form_tables.inc: the canonical decompositions, combining classes and composable pairs of Unicode
14.0, for text/normal_form.cpp. Hangul is worked out there. Needs a Python whose unicodedata is of that version.

    python tools/unicode_normal_form.py > text/normal_form_tables.inc
"""
import sys
import unicodedata

VERSION = "14.0.0"


def decomposition(c):
    mapping = unicodedata.decomposition(chr(c))
    return [] if not mapping or mapping.startswith("<") else [int(x, 16) for x in mapping.split()]


def table(kind, name, rows, per_line):
    print(f"constexpr {kind} {name}[] = {{")
    for i in range(0, len(rows), per_line):
        print("    " + " ".join("{" + ", ".join(f"{v:#x}" for v in row) + "}," for row in rows[i:i + per_line]))
    print("};\n")


def main():
    if unicodedata.unidata_version != VERSION:
        sys.exit(f"Unicode {VERSION} is wanted, this Python has {unicodedata.unidata_version}")
    splits, classes = [], []
    for c in range(0x110000):
        if 0xac00 <= c <= 0xd7a3 or 0xd800 <= c <= 0xdfff:
            continue
        parts = decomposition(c)
        if parts:
            # What composes again when its two parts meet; the third column says so.
            again = len(parts) == 2 and unicodedata.normalize("NFC", "".join(map(chr, parts))) == chr(c)
            splits.append((c, parts[0], parts[1] if len(parts) == 2 else 0, int(again)))
        k = unicodedata.combining(chr(c))
        if k and classes and classes[-1][1] == c - 1 and classes[-1][2] == k:
            classes[-1][1] = c
        elif k:
            classes.append([c, c, k])
    print("// Written by tools/unicode_normal_form.py from the Unicode Character Database 14.0; not edited by hand.")
    table("Split", "kSplits", splits, 4)
    table("ClassRange", "kClasses", classes, 6)


main()
