"""Every word that a user reads can be translated, and is in Spanish."""

import ast
import csv
import json
import re
import unittest
from pathlib import Path

import marketing_automation
from marketing_automation import install
from marketing_automation.desk import insight

APP = Path(marketing_automation.__file__).parent
SPANISH = APP / "translations" / "es.csv"
IN_SCRIPTS = re.compile(r"""__\(\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`)""")
PLACEHOLDER = re.compile(r"\{(\d*)\}")
# A word that other screens have, too, is ours only in this context.
CONTEXT = "Lifecycle"
IN_CONTEXT = re.compile(r"""__\(\s*("(?:[^"\\]|\\.)*"),\s*(?:null|\[[^\]]*\]),\s*"([^"]+)"\s*\)""")
# Words of Frappe's that it has in Spanish itself.
FRAPPES = {"Cancel"}
# Names of what is no document, and values that nobody reads.
NO_WORDS = {"JSON", "Email", "Home"}


def words_of_code() -> set[str]:
	"""Return what stands in _(...) in the app's Python."""
	found = set()
	for path in APP.rglob("*.py"):
		if "tests" in path.parts:
			continue
		for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
			if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
				if isinstance(node.args[0], ast.Constant):
					found.add(node.args[0].value)
	return found


def words_of_scripts() -> set[str]:
	"""Return what stands in __(...) in the app's JavaScript; template literals cannot be translated."""
	found = set()
	for path in APP.rglob("*.js"):
		for quoted in IN_SCRIPTS.findall(path.read_text(encoding="utf-8")):
			if quoted == "`":
				raise AssertionError(f"{path.name}: __(`...`) cannot be translated")
			found.add(ast.literal_eval(quoted))
	return found


def words_in_context() -> set[tuple[str, str]]:
	"""Return {(text, context)} of what stands in _(..., context="...") and __(..., null or [...], "...")."""
	found = set()
	for path in APP.rglob("*.js"):
		for word, context in IN_CONTEXT.findall(path.read_text(encoding="utf-8")):
			found.add((ast.literal_eval(word), context))
	for path in APP.rglob("*.py"):
		for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
			if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
				for keyword in node.keywords:
					if keyword.arg == "context":
						found.add((node.args[0].value, keyword.value.value))
	return found


def words_of_pages() -> set[str]:
	"""Return what stands in _(...) in the pages that customers see, and the topics that they find there to begin with."""
	found = {word for name, description, _is_service in install.TOPICS for word in (name, description)}
	for path in (APP / "pages").glob("*.html"):
		found |= set(re.findall(r'\b_\("([^"]+)"\)', path.read_text(encoding="utf-8")))
	return found


def words_of_documents() -> set[str]:
	"""Return the names, labels, descriptions and choices of what the app brings along."""
	found = set()
	for path in (APP / "marketing_automation").rglob("*.json"):
		doc = json.loads(path.read_text(encoding="utf-8"))
		found |= {
			doc.get(key)
			for key in (
				*("title", "label", "subtitle", "success_message"),
				*("action_label", "report_description", "callback_title", "callback_message"),
			)
		}
		if doc["doctype"] in ("DocType", "Report"):
			found.add(doc["name"])
		if doc["doctype"] == "Onboarding Step":
			found.add(doc["description"])
		for field in doc.get("fields", []):
			found |= {field.get("label"), field.get("description")}
			if field["fieldtype"] in ("Select", "Autocomplete"):
				found |= set(field.get("options", "").split("\n"))
		for key in ("shortcuts", "links", "number_cards", "charts"):
			for row in doc.get(key, []) if doc["doctype"] == "Workspace" else []:
				found |= {row.get("label"), row.get("format")}
		if doc["doctype"] == "Workspace":
			for block in json.loads(doc["content"]):
				text = block["data"].get("text", "")
				found.add(re.sub(r"<[^>]+>", "", text))
	for path in (APP / "workspace_sidebar").glob("*.json"):
		found |= {item["label"] for item in json.loads(path.read_text(encoding="utf-8"))["items"]}
	return {text for text in found if text} - NO_WORDS


def words_of_recipes() -> set[str]:
	"""Return the titles and descriptions of the recipes; their messages have their own languages."""
	found = set()
	for path in (APP / "recipes").rglob("recipe.json"):
		recipe = json.loads(path.read_text(encoding="utf-8"))
		texts = (recipe["title"], recipe["description"], recipe["group"])
		found |= {*texts, *(message["title"] for message in recipe["messages"])}
	return found


def words_of_gallery() -> set[str]:
	"""Return the titles and descriptions of the gallery's designs; their messages have their own languages."""
	found = set()
	for path in (APP / "gallery").rglob("design.json"):
		design = json.loads(path.read_text(encoding="utf-8"))
		found |= {design["title"], design["description"], design["group"]}
	return found


def words_of_profiles() -> set[str]:
	"""Return what the country profiles say of themselves; what they put into mails has its own languages."""
	found = set()
	for path in (APP / "profiles").glob("*.json"):
		if path.stem == "zones":
			continue
		profile = json.loads(path.read_text(encoding="utf-8"))
		found |= {profile.get("note"), *(source["source"] for source in profile.get("sources", []))}
	return {text for text in found if text}


class TestSpanish(unittest.TestCase):
	@classmethod
	def setUpClass(cls):
		with SPANISH.open(encoding="utf-8", newline="") as file:
			cls.rows = list(csv.reader(file))
		cls.spanish = {row[0]: row[1] for row in cls.rows}
		cls.words = (
			words_of_code()
			| words_of_scripts()
			| words_of_documents()
			| words_of_pages()
			| words_of_recipes()
			| words_of_gallery()
			| words_of_profiles()
			| {insight.COMING, insight.STOPPED, insight.NOT_DUE, insight.WITHHELD}
		)

	def test_every_word_is_there(self):
		missing = sorted(word for word in self.words - FRAPPES if not self.spanish.get(word))

		self.assertEqual(missing, [])

	def test_a_word_that_is_asked_for_in_a_context_is_there_in_it(self):
		asked, there = words_in_context(), {(row[0], row[2]) for row in self.rows if row[2:]}
		self.assertEqual(sorted(asked - there), [])
		# Those in the context of a DocType Frappe asks for, too, for its labels and choices.
		self.assertEqual(sorted(word for word, context in there - asked if context == CONTEXT), [])

	def test_nothing_is_there_twice_or_for_nothing(self):
		sources = [(row[0], *row[2:]) for row in self.rows]
		self.assertEqual(sorted({source for source in sources if sources.count(source) > 1}), [])
		self.assertEqual(sorted({row[0] for row in self.rows} - self.words), [])

	def test_what_is_filled_in_is_filled_in_in_spanish_too(self):
		for source, spanish in self.spanish.items():
			with self.subTest(source):
				self.assertEqual(sorted(PLACEHOLDER.findall(source)), sorted(PLACEHOLDER.findall(spanish)))
