"""Designs for tests: one with every kind of block, and what makes documents of them."""

import contextlib
import copy
import json

import frappe

from marketing_automation.designs import store
from marketing_automation.tests import factories

EVERYTHING = {
	"blocks": [
		{"id": "a", "type": "logo"},
		{"id": "b", "type": "heading", "look": "band"},
		{
			"id": "c",
			"type": "text",
			"only": {"if": [{"name": "days_left", "is": "at_most", "value": 30}]},
		},
		{"id": "d", "type": "items"},
		{"id": "e", "type": "button", "to": "address"},
		{
			"id": "f",
			"type": "columns",
			"columns": [[{"id": "g", "type": "text"}], [{"id": "h", "type": "button"}]],
		},
		{"id": "i", "type": "divider"},
		{"id": "j", "type": "quote"},
		{"id": "k", "type": "item"},
		{"id": "l", "type": "picture", "file": "/files/x.png"},
		{"id": "m", "type": "space"},
		{"id": "foot1", "type": "foot"},
	],
	"texts": {
		"en": {
			"subject": "{{ item_name }} ends {{ days_in_words }}",
			"preheader": "Before {{ expiry_date }}",
			"b.text": "Time to renew",
			"c.text": "Dear {{ customer_name }},\n\n**soon** it ends {{ days_in_words }}. [See](https://a.example/?n={{ serial_no }})\n\n- one\n- two",
			"d.title": "{{ item_name }}",
			"d.note": "{{ serial_no }}",
			"d.value": "{{ expiry_date }}",
			"d.label": "Ends on",
			"e.text": "Renew",
			"e.address": "https://a.example/{{ serial_no }}",
			"g.text": "Left",
			"h.text": "Visit us",
			"j.text": "Very good",
			"j.who": "Ana",
			"k.title": "{{ item_name }}",
			"l.alt": "A lamp",
			"foot1.text": "You are our customer.",
		}
	},
}
SPANISH = {
	"subject": "{{ item_name }} vence {{ days_in_words }}",
	"preheader": "Antes del {{ expiry_date }}",
	"b.text": "Hora de renovar",
	"c.text": "Hola, {{ customer_name }}:",
	"d.title": "{{ item_name }}",
	"d.note": "{{ serial_no }}",
	"d.value": "{{ expiry_date }}",
	"d.label": "Vence el",
	"e.text": "Renovar",
	"e.address": "https://a.example/es/{{ serial_no }}",
	"g.text": "Izquierda",
	"h.text": "Visítenos",
	"j.text": "Muy bueno",
	"j.who": "Ana",
	"k.title": "{{ item_name }}",
	"l.alt": "Una lámpara",
	"foot1.text": "Usted es nuestro cliente.",
}


def everything(*languages: str) -> dict:
	"""Return a design with every kind of block, in English, or in these languages (en, es)."""
	data = copy.deepcopy(EVERYTHING)
	known = {"en": data["texts"]["en"], "es": dict(SPANISH)}
	data["texts"] = {code: known[code] for code in languages or ("en",)}
	return data


def small(text: str, **more: str) -> dict:
	"""Return a design of one text. more: its other texts in English."""
	return {
		"blocks": [{"id": "t", "type": "text"}, {"id": "foot1", "type": "foot"}],
		"texts": {"en": {"subject": "About {{ item_name }}", "t.text": text, **more}},
	}


def designed(data: dict | None = None, **fields):
	"""Return a new Lifecycle Message Design that is in use."""
	doc = store.new(factories.unique("Test Design"), data or everything(), **fields)
	store.publish(doc)
	return doc


def template_of(doc, language: str = "en") -> str:
	"""Return the Email Template that a design has written in a language."""
	return next(row.email_template for row in doc.templates if row.language == language)


def changed(doc, change) -> None:
	"""Save a design with what `change` does to its data."""
	data = json.loads(doc.design)
	change(data)
	doc.design = json.dumps(data)
	doc.save()


def change_by_hand(template: str, old: str, new: str) -> None:
	"""Change an Email Template as whoever opens its form does."""
	doc = frappe.get_doc("Email Template", template)
	doc.response_html = doc.response_html.replace(old, new)
	doc.save()


@contextlib.contextmanager
def asked_by(user: str):
	"""Be another user for the block."""
	frappe.set_user(user)
	try:
		yield
	finally:
		frappe.set_user("Administrator")
