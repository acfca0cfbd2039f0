"""The stand-in for ERPNext in the shape of another version: the stand-in itself is 16, shape_15.json says what differs."""

import json
import shutil
from pathlib import Path

STAND_IN = Path(__file__).resolve().parent / "erpnext"
SHAPES = ("16", "15")


def in_shape(doctype: dict, shape: str) -> dict:
	"""Return the definition of one of the stand-in's DocTypes as it is in a shape."""
	if shape == "16":
		return doctype
	difference = json.loads((STAND_IN / f"shape_{shape}.json").read_text()).get(doctype["name"], {})
	without, changes = difference.get("without", []), dict(difference.get("fields", {}))
	fields = [
		_changed(field, changes.pop(field["fieldname"], {}))
		for field in doctype["fields"]
		if field["fieldname"] not in without
	]
	fields += [{"fieldname": fieldname, **field} for fieldname, field in changes.items()]
	order = [field["fieldname"] for field in fields]
	return {**doctype, **difference.get("doctype", {}), "fields": fields, "field_order": order}


def _changed(field: dict, changes: dict) -> dict:
	return {key: value for key, value in {**field, **changes}.items() if value is not None}


def make(shape: str, target: Path) -> None:
	"""Write the stand-in in a shape to a folder."""
	shutil.rmtree(target, ignore_errors=True)
	shutil.copytree(STAND_IN, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
	for path in target.rglob("doctype/*/*.json"):
		path.write_text(json.dumps(in_shape(json.loads(path.read_text()), shape), indent=1))
