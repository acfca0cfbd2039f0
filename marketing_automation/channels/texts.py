"""Texts of messages, whatever they leave by: an action's Email Templates and a message in, what a reader reads out."""

from dataclasses import replace

from marketing_automation.channels.email import channel as email
from marketing_automation.engine.channel import Message, Rendered

Prepared = email.Prepared
prepare = email.prepare
problems = email.problems
validate = email.validate


def render(prepared: Prepared, message: Message, language: str | None) -> tuple[Rendered, str]:
	"""Return a message as a reader of this language reads it, and the language that it is in. Raises Unsendable."""
	return email.render(prepared, replace(message, recipient=replace(message.recipient, language=language)))
