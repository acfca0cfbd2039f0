"""What the machine lacks is said in a sentence that says what to do."""

import host
import pytest
from bench import Bench
from report import Failed
from services import free_port


def test_a_python_that_cannot_work_is_refused_with_those_that_can(tmp_path):
	with pytest.raises(Failed) as caught:
		host.need({}, tmp_path / "log", ("2.4", "2.5"))
	assert "Python 2.4 or 2.5" in str(caught.value)


def test_what_is_missing_is_named_where_it_cannot_be_installed(tmp_path, monkeypatch):
	monkeypatch.setattr(host.os, "geteuid", lambda: 1000)
	monkeypatch.setattr(host, "which", lambda program: "/usr/bin/apt-get" if program == "apt-get" else None)
	with pytest.raises(Failed) as caught:
		host.need(host.PROGRAMS, tmp_path / "log")
	assert "sudo apt-get install" in str(caught.value)
	assert "mariadb-server-core" in str(caught.value)


def test_all_that_is_missing_is_named_at_once(tmp_path, monkeypatch):
	monkeypatch.setattr(host.os, "geteuid", lambda: 1000)
	monkeypatch.setattr(host, "which", lambda program: "/usr/bin/apt-get" if program == "apt-get" else None)
	monkeypatch.setattr(host, "_python", lambda versions: ("/usr/bin/python3", "python3.11-venv"))
	with pytest.raises(Failed) as caught:
		host.need(host.PROGRAMS | host.DESK_PROGRAMS, tmp_path / "log", ("3.11",))
	assert (
		"\n    sudo apt-get install git mariadb-client mariadb-client-core mariadb-server-core nodejs npm "
		"python3.11-venv redis-tools\n"
	) in str(caught.value)


def test_a_port_that_is_taken_is_left_alone():
	import socket

	with socket.socket() as taken:
		taken.bind(("127.0.0.1", 0))
		taken.listen()
		port = taken.getsockname()[1]
		assert free_port(port) != port


def test_each_combination_of_sources_has_a_folder_of_its_own(tmp_path):
	keys = {
		Bench(tmp_path, *sources).key
		for sources in ((None, None), ("a/frappe", None), (None, "a/frappe"), ("a/frappe", "a/erpnext"))
	}
	assert len(keys) == 4


def test_a_frappe_that_is_given_says_which_python_it_needs(tmp_path):
	for requires, pythons in (
		(">=3.14,<3.15", ("3.14",)),
		(">=3.10,<3.13", ("3.11", "3.12", "3.10")),
		(">=3.10", ("3.11", "3.12", "3.10", "3.13", "3.14")),
	):
		source = tmp_path / requires / "frappe"
		source.mkdir(parents=True)
		(source / "pyproject.toml").write_text(f'[project]\nrequires-python = "{requires}"\n')
		bench = Bench(tmp_path, str(source))
		bench.obtain()
		assert bench.pythons() == pythons


def test_a_source_that_is_none_is_refused(tmp_path):
	from bench import _obtain

	with pytest.raises(Failed, match="neither a folder with an app nor a git address"):
		_obtain("no-such-folder", tmp_path / "app", tmp_path / "log")
