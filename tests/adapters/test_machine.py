"""What the system tells of the machine: read from the kernel's files as they are, and nothing where they are not."""

from __future__ import annotations

import sys

import pytest

from lading.adapters.machine import LocalMachine
from lading.domain.requirements import Conditions

pytestmark = [pytest.mark.row("S2.10"), pytest.mark.row("S3.7")]

HEAD = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
DEFAULT, NEIGHBOURS, DOWN = (
    f"eth0 {to} 0 {flags} 0 0 0 0 0 0 0\n" for to, flags in (("0", "0003"), ("0A", "0001"), ("0", "0000"))
)
LOOPBACK = "lo 0000007F 0 0001 0 0 0 0 0 0 0\n"
SIX = "fd000000000000000000000000000000 40 0 00 0 00000100 1 0 {flags} {interface}\n"
LINK_LOCAL = "fe800000000000000000000000000000 40 0 00 0 00000100 1 0 00000001 eth0\n"
REJECTING = "00000000000000000000000000000000 00 0 00 0 ffffffff 1 0 00200200 lo\n"


@pytest.fixture
def machine(tmp_path):
    """A machine of these files."""

    def make(routes="", six=None, operstate="up", memory=None) -> LocalMachine:
        for folder in ("proc/net", "sys/class/net/eth0", "sys/class/net/lo"):
            (tmp_path / folder).mkdir(parents=True)
        (tmp_path / "sys/class/net/eth0/operstate").write_text(f"{operstate}\n")
        (tmp_path / "sys/class/net/lo/operstate").write_text("unknown\n")
        (tmp_path / "proc/net/route").write_text(HEAD + routes)
        if six is not None:
            (tmp_path / "proc/net/ipv6_route").write_text(six)
        if memory is not None:
            (tmp_path / "proc/meminfo").write_text(memory)
        return LocalMachine(tmp_path)

    return make


@pytest.mark.parametrize(
    ("given", "online"),
    [
        ({"routes": DEFAULT}, True),
        ({"routes": NEIGHBOURS}, True),
        ({"routes": DEFAULT, "operstate": "unknown"}, True),
        ({"routes": DEFAULT, "operstate": "down"}, False),
        ({"routes": DEFAULT, "operstate": "lowerlayerdown"}, False),
        ({"routes": DOWN}, False),
        ({"routes": LOOPBACK}, False),
        ({}, False),
        ({"routes": DEFAULT.replace("eth0", "gone0")}, False),
        ({"six": SIX.format(flags="00000001", interface="eth0")}, True),
        ({"six": SIX.format(flags="00000001", interface="lo")}, False),
        ({"six": SIX.format(flags="00200200", interface="eth0")}, False),
        ({"six": LINK_LOCAL + REJECTING}, False),
    ],
)
def test_a_machine_is_online_when_a_route_leads_over_an_interface_that_is_up(machine, given, online):
    """With or without a default route; what only leads to itself, or nowhere, is no network."""
    assert machine(**given).look(metered=False).online is online


def test_memory_in_use_is_what_is_not_available(machine):
    """Caches that can be dropped are not in use."""
    text = "MemTotal:  1000 kB\nMemFree:  10 kB\nMemAvailable:  400 kB\n"
    assert machine(memory=text).look(metered=False).memory_percent == pytest.approx(60.0)


@pytest.mark.parametrize("text", ["", "MemTotal: 0 kB\nMemAvailable: 0 kB\n", "MemTotal: much\n", "MemTotal:\n"])
def test_what_cannot_be_read_is_unknown(machine, text):
    """A kernel that words it differently stands in nobody's way."""
    assert machine(memory=text).look(metered=False).memory_percent is None


def test_a_system_without_these_files_tells_nothing(tmp_path):
    """Elsewhere than on Linux everything is unknown."""
    assert LocalMachine(tmp_path).look(metered=False) == Conditions()


@pytest.mark.skipif(sys.platform != "linux", reason="these files are Linux's")
def test_this_very_machine_tells_its_memory():
    """The real files can be read."""
    assert 0 < LocalMachine().look(metered=True).memory_percent < 100
