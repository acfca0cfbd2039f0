"""A complete channel that is nobody's: pigeons, which carry letters. What another app would register by the hook alone.

The letters lie in a table of this connection, so that they go with its transactions; what has flown stands in `FLOWN`.
"""

import frappe

from marketing_automation.engine.channel import Channel, Message, Rendered, Unsendable
from marketing_automation.engine.model import COMPLETED, FAILED, QUEUED, Reason

ACTION_TYPE = "Send Pigeon"
HOOK = {ACTION_TYPE: ["marketing_automation.tests.fake_channel.PIGEONS"]}
WAITS, FLEW, LOST = "waits", "flew", "lost"
FLOWN: list[str] = []


def prepare_table() -> None:
	"""Make the table of this connection, empty."""
	frappe.db.sql_ddl(
		"create temporary table if not exists pigeons (handle varchar(140) primary key, letter text, status varchar(20))"
	)
	frappe.db.sql("delete from pigeons")
	frappe.db.commit()
	FLOWN.clear()


class Pigeons(Channel):
	"""Letters to customers. Reaches them wherever they live, so nobody lacks an address."""

	REACHES_CUSTOMER = False
	PER_JOB = 2
	# Letters by these keys get lost.
	lost: set[str] = set()

	def validate(self, action, campaign) -> None:
		if action.action_name == "no letter":
			frappe.throw("There is no letter.", title="No Letter")

	def problems(self, actions: list[dict]) -> list[tuple[str, str]]:
		return [(action.campaign, "The pigeons are ill.") for action in actions if self.lost]

	def compose(self, prepared, message: Message) -> str:
		if message.recipient.customer_name == "Nobody":
			raise Unsendable(Reason.SENDING_FAILED, "No pigeon knows the way.")
		return message.key

	def render(self, prepared, message: Message) -> tuple[Rendered, str]:
		return Rendered(
			"A letter", f"<p>To {frappe.utils.escape_html(message.recipient.customer_name)}</p>"
		), "en"

	def hand_over(self, composed: list[str]) -> list[dict]:
		results = []
		for key in composed:
			handle = frappe.generate_hash(length=12)
			frappe.db.sql("insert into pigeons values (%s, %s, %s)", (handle, key, WAITS))
			results.append({"handle": handle})
		return results

	def dispatch(self, handles: list[str]) -> list[str]:
		for handle, letter in frappe.db.sql(
			"select handle, letter from pigeons where handle in %s and status = %s", (handles, WAITS)
		):
			if letter not in self.lost:
				FLOWN.append(letter)
			status = LOST if letter in self.lost else FLEW
			frappe.db.sql("update pigeons set status = %s where handle = %s", (status, handle))
			frappe.db.commit()
		return []

	def outcomes(self, rows: list[dict]) -> dict[str, dict]:
		now, status = frappe.utils.now_datetime(), self._status(rows)
		ends = {
			FLEW: {"status": COMPLETED, "error": None, "executed_at": now},
			LOST: {
				**{"status": FAILED, "reason": Reason.SENDING_FAILED, "error": "Lost", "executed_at": now},
				"temporary": True,
			},
		}
		return {row.name: dict(ends[status[row.handle]]) for row in rows if status.get(row.handle) in ends}

	def recall(self, rows: list[dict]) -> dict[str, dict]:
		status = self._status(rows)
		self._delete({handle for handle, value in status.items() if value != FLEW})
		return {row.name: {"status": QUEUED} for row in rows if status.get(row.handle) == FLEW}

	def withdraw(self, rows: list[dict], only_left_behind: bool = False) -> set[str]:
		if only_left_behind:
			return set()
		waiting = {handle for handle, value in self._status(rows).items() if value == WAITS}
		self._delete(waiting)
		return {row.name for row in rows if row.handle in waiting}

	def _status(self, rows: list[dict]) -> dict[str, str]:
		handles = [row.handle for row in rows if row.handle] or [""]
		return dict(frappe.db.sql("select handle, status from pigeons where handle in %s", (handles,)))

	def _delete(self, handles: set[str]) -> None:
		if handles:
			frappe.db.sql("delete from pigeons where handle in %s", (list(handles),))


PIGEONS = Pigeons()
