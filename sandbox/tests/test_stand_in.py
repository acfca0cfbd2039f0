"""The stand-in has fields of ERPNext's own: the same names, types and options."""

import json
from pathlib import Path

import pytest

SANDBOX = Path(__file__).resolve().parents[1]
SCHEMA = SANDBOX.parents[1] / "shared" / "erpnext-schema"
DOCTYPES = sorted((SANDBOX / "erpnext").rglob("doctype/*/*.json"))
COMPARED = ("fieldtype", "options", "fetch_from", "unique")


@pytest.mark.parametrize("path", DOCTYPES, ids=lambda path: path.stem)
def test_every_field_is_erpnexts(path):
	if not SCHEMA.is_dir():
		pytest.skip(f"ERPNext's definitions are not at hand: there is no {SCHEMA.parent.name}/{SCHEMA.name}")
	ours = json.loads(path.read_text())
	theirs = json.loads((SCHEMA / path.name).read_text())
	fields = {field["fieldname"]: field for field in theirs["fields"]}
	assert ours["name"] == theirs["name"]
	for key in ("autoname", "istable", "is_submittable", "is_tree"):
		if key in ours:
			assert ours[key] == theirs.get(key), key
	assert [field["fieldname"] for field in ours["fields"] if field["fieldname"] not in fields] == []
	for field in ours["fields"]:
		for key in COMPARED:
			assert field.get(key) == fields[field["fieldname"]].get(key), (field["fieldname"], key)


def test_there_is_a_stand_in_for_each_doctype_that_is_read():
	names = {json.loads(path.read_text())["name"] for path in DOCTYPES}
	assert {
		"Serial No",
		"Serial and Batch Bundle",
		"Sales Invoice",
		"Delivery Note",
		"Customer",
		"Item",
	} <= names
