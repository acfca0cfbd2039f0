from setuptools import find_packages, setup

setup(name="erpnext", version="15.0.0.dev0", packages=find_packages())
