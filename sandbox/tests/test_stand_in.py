"""The stand-in has fields of ERPNext's own, in each shape: the same names, types and options; and what the app needs of
ERPNext is in both versions."""

import json
from pathlib import Path

import pytest
import shapes

SANDBOX = Path(__file__).resolve().parents[1]
SHARED = SANDBOX.parents[1] / "shared"
SCHEMA = {"16": SHARED / "erpnext-schema", "15": SHARED / "erpnext-schema-15"}
DOCTYPES = sorted((SANDBOX / "erpnext").rglob("doctype/*/*.json"))
COMPARED = ("fieldtype", "options", "fetch_from", "unique", "search_index")
# Of Frappe's own.
NOT_ERPNEXTS = ("Contact",)
# What nobody has put beside the other definitions. They are the same in 15 and 16.
NOT_AT_HAND = ("bin", "warehouse", "overdue_payment")
# What some ERPNext 16 has and its definitions that were compared have not.
NEWER = {("Serial and Batch Bundle", "posting_datetime")}


def definitions(shape: str) -> Path:
	if not SCHEMA[shape].is_dir():
		pytest.skip(f"ERPNext's definitions are not at hand: there is no {SHARED.name}/{SCHEMA[shape].name}")
	return SCHEMA[shape]


def fields_of(shape: str, doctype: str) -> set[str]:
	path = definitions(shape) / f"{doctype.lower().replace(' ', '_')}.json"
	return {field["fieldname"] for field in json.loads(path.read_text())["fields"]}


@pytest.mark.parametrize("shape", shapes.SHAPES)
@pytest.mark.parametrize("path", DOCTYPES, ids=lambda path: path.stem)
def test_every_field_is_erpnexts(path, shape):
	if not (definitions(shape) / path.name).exists():
		assert path.stem in NOT_AT_HAND, path.stem
		pytest.skip(f"ERPNext's definition of {path.stem} is not at hand")
	theirs = json.loads((definitions(shape) / path.name).read_text())
	ours = shapes.in_shape(json.loads(path.read_text()), shape)
	fields = {field["fieldname"]: field for field in theirs["fields"]}
	assert ours["name"] == theirs["name"]
	for key in ("autoname", "istable", "is_submittable", "is_tree"):
		if key in ours:
			assert ours[key] == theirs.get(key), key
	assert [field["fieldname"] for field in ours["fields"] if field["fieldname"] not in fields] == []
	assert ours["field_order"] == [field["fieldname"] for field in ours["fields"]]
	for field in ours["fields"]:
		for key in COMPARED:
			assert field.get(key) == fields[field["fieldname"]].get(key), (field["fieldname"], key)


def test_what_the_shapes_differ_by_is_of_the_stand_in():
	difference = json.loads((shapes.STAND_IN / "shape_15.json").read_text())
	names = {json.loads(path.read_text())["name"] for path in DOCTYPES}
	assert set(difference) <= names
	for path in DOCTYPES:
		doctype = json.loads(path.read_text())
		changed = shapes.in_shape(doctype, "15")
		assert (changed != doctype) == (doctype["name"] in difference), doctype["name"]


def test_there_is_a_stand_in_for_each_doctype_that_is_read():
	from marketing_automation import erpnext_schema

	names = {json.loads(path.read_text())["name"] for path in DOCTYPES}
	assert {*erpnext_schema.NEEDED, *erpnext_schema.OPTIONAL} - {*NOT_ERPNEXTS} <= names


@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_what_the_app_cannot_do_without_is_in_both_versions(shape):
	from marketing_automation import erpnext_schema

	for doctype, needed in erpnext_schema.NEEDED.items():
		assert set(needed) - fields_of(shape, doctype) == set(), doctype


def test_what_it_does_without_is_in_one_of_them():
	from marketing_automation import erpnext_schema

	for doctype, optional in erpnext_schema.OPTIONAL.items():
		if doctype not in NOT_ERPNEXTS and doctype.lower().replace(" ", "_") not in NOT_AT_HAND:
			there = fields_of("15", doctype) | fields_of("16", doctype)
			assert {field for field in optional if (doctype, field) not in NEWER} - there == set(), doctype
