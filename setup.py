from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
version = next(
	line.split('"')[1]
	for line in (here / "marketing_automation" / "__init__.py").read_text().splitlines()
	if line.startswith("__version__")
)

setup(
	name="marketing_automation",
	version=version,
	description="Lifecycle marketing for ERPNext: the right message to each customer at the right time, once",
	long_description=(here / "README.md").read_text() if (here / "README.md").exists() else "",
	long_description_content_type="text/markdown",
	license="MIT",
	packages=find_packages(include=["marketing_automation", "marketing_automation.*"]),
	include_package_data=True,
	zip_safe=False,
	python_requires=">=3.10",
	install_requires=[
		line for line in (here / "requirements.txt").read_text().splitlines() if line and line[0] != "#"
	],
)
