"""What mail servers write is understood: the collection in tests/bounces, and whatever else anybody may send."""

import json
import random
import unittest
from pathlib import Path
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing_automation.channels.email import refusals, reports

FOLDER = Path(__file__).parent / "bounces"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
OUR_ID = "0123456789abcdef0123456789abcdef@shop.example"


def raw(name: str) -> bytes:
	return (FOLDER / f"{name}.eml").read_bytes()


def verdict(outcome: reports.Outcome) -> str | None:
	meaning = refusals.meaning(outcome.status, outcome.words)
	return meaning.verdict if meaning else None


class TestCollection(unittest.TestCase):
	maxDiff = None

	def check(self, name: str, data: bytes) -> None:
		expected, report = EXPECTED[name], reports.read(data)
		self.assertEqual(report.kind, expected["kind"])
		self.assertEqual(
			[outcome.address for outcome in report.outcomes], [o[0] for o in expected["outcomes"]]
		)
		self.assertEqual(
			[outcome.action for outcome in report.outcomes], [o[1] for o in expected["outcomes"]]
		)
		if report.kind == reports.BOUNCE:
			self.assertEqual([verdict(one) for one in report.outcomes], [o[2] for o in expected["outcomes"]])
		self.assertEqual(OUR_ID in report.message_ids, expected["has_id"])

	def test_each_file_reports_what_it_is_expected_to(self):
		self.assertGreaterEqual(len(EXPECTED), 40)
		for name, expected in EXPECTED.items():
			if expected.get("needs") and not reports.flufl():
				continue
			with self.subTest(name):
				self.check(name, raw(name))

	def test_line_breaks_of_the_wire_change_nothing(self):
		for name, expected in EXPECTED.items():
			if not expected.get("needs"):
				with self.subTest(name):
					self.check(name, raw(name).replace(b"\n", b"\r\n"))

	def test_without_flufl_bounce_only_what_keeps_to_no_standard_is_not_understood(self):
		with patch.object(reports, "flufl", lambda: None):
			for name, expected in EXPECTED.items():
				with self.subTest(name):
					if expected.get("needs"):
						self.assertEqual(reports.read(raw(name)).kind, reports.UNKNOWN)
					else:
						self.check(name, raw(name))

	def test_every_file_is_expected_and_says_where_its_form_is_described(self):
		files = {path.stem for path in FOLDER.glob("*.eml")}
		self.assertEqual(files, set(EXPECTED))
		table = (FOLDER / "README.md").read_text(encoding="utf-8")
		rows = [row for row in table.split("\n") if row.startswith("| `")]
		self.assertEqual({row.split("`")[1] for row in rows}, {f"{name}.eml" for name in files})
		for row in rows:
			self.assertTrue(all(cell.strip() for cell in row.strip("|").split("|")), row)

	def test_what_a_library_raises_about_a_letter_stops_nothing(self):
		class Raising:
			@staticmethod
			def all_failures(message):
				raise IndexError("list index out of range")

		with patch.object(reports, "flufl", lambda: Raising):
			self.assertEqual(reports.read(raw("unknown-letter")).kind, reports.UNKNOWN)


class TestWhateverComes(unittest.TestCase):
	@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
	@given(st.binary(max_size=3000))
	def test_bytes_never_raise(self, data):
		self.assertIn(
			reports.read(data).kind, (reports.BOUNCE, reports.COMPLAINT, reports.OTHER, reports.UNKNOWN)
		)

	@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
	@given(st.sampled_from(sorted(EXPECTED)), st.randoms(use_true_random=False))
	def test_a_damaged_bounce_never_raises(self, name, chance):
		data = bytearray(raw(name))
		for _time in range(chance.randint(1, 30)):
			place = chance.randrange(len(data))
			match chance.randrange(4):
				case 0:
					data[place] = chance.randrange(256)
				case 1:
					del data[place : place + chance.randrange(1, 200)]
				case 2:
					data[place:place] = bytes(chance.randrange(256) for _byte in range(chance.randrange(20)))
				case 3:
					data[place:place] = data[: chance.randrange(400)]
			if not data:
				data = bytearray(b"\n")
		report = reports.read(bytes(data))
		for outcome in report.outcomes:
			refusals.meaning(outcome.status, outcome.words)

	def test_parts_within_parts_without_end(self):
		for text in (
			"".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(3000)),
			"Content-Type: message/rfc822\n\n" * 3000,
			"From: mailer-daemon@x.example\nContent-Type: multipart/report; boundary=b\n\n"
			+ "--b\n\n" * 20000,
			"Subject: " + "=?utf-8?b?" * 20000,
			"X-Failed-Recipients: " + "a@b.example, " * 50000,
			"From: <" * 20000,
		):
			with self.subTest(text[:60]):
				reports.read(text.encode())

	def test_a_large_one_takes_no_time_to_speak_of(self):
		chance = random.Random(1)
		letters = bytes(chance.choices(b"abc <>@.:\n-=", k=400_000))
		head = b"Return-Path: <>\nFrom: MAILER-DAEMON@x.example\nSubject: failure notice\n\nHi. This is the x\n\n"
		reports.read(head + letters)


class TestCodes(unittest.TestCase):
	def test_the_table(self):
		for code, expected in {
			"5.1.1": "hard",
			"5.1.2": "hard",
			"5.1.10": "hard",
			"5.2.1": "hard",
			"5.2.2": "soft",
			"4.2.2": "soft",
			"4.4.7": "soft",
			"5.7.1": "sender",
			"5.7.26": "sender",
			"5.7.515": "sender",
			"5.3.4": "sender",
			"5.6.1": "sender",
			"5.0.0": "soft",
			"5.4.6": "soft",
		}.items():
			with self.subTest(code):
				self.assertEqual(refusals.meaning(code).verdict, expected)

	def test_success_is_no_refusal(self):
		self.assertIsNone(refusals.meaning("2.1.5"))
		self.assertIsNone(refusals.meaning(None, ""))

	def test_words_never_make_a_sender_fault_an_address_fault(self):
		self.assertEqual(refusals.meaning("5.7.1", "550 5.7.1 User unknown").verdict, "sender")
		self.assertEqual(
			refusals.meaning(None, "550 Blocked as spam: user unknown to our white list").verdict, "sender"
		)

	def test_a_sender_that_cannot_be_looked_up_is_no_fault_of_the_address(self):
		for words in (
			"550 Sender domain not found",
			"553 sender's domain not found",
			"554 Helo command rejected: Host not found",
			"550 invalid address literal in HELO",
			"550 La cuenta del remitente no existe",
			"550 Client host rejected: cannot find your reverse hostname, nxdomain",
		):
			with self.subTest(words):
				self.assertEqual(refusals.meaning(None, words).verdict, "sender")
		self.assertEqual(refusals.meaning(None, "550 Recipient domain not found").verdict, "hard")

	def test_a_host_number_is_no_code(self):
		self.assertIsNone(refusals.enhanced("host 10.5.1.1 said: 550 no"))
		self.assertEqual(refusals.basic("192.0.2.250 said 451"), 451)
