"""Reads the connection settings as JSON from standard input and connects with proxmoxer by an API token."""

import json
import sys

from proxmoxer import ProxmoxAPI
from proxmoxer.tools import Tasks

settings = json.load(sys.stdin)
server = {"port": settings["port"], "verify_ssl": settings["ca"]}
user, _, token = settings["apiToken"].partition("!")
name, _, value = token.partition("=")
pve = ProxmoxAPI("127.0.0.1", user=user, token_name=name, token_value=value, **server)
node = pve.nodes("pve")


def task(upid, connection=pve):
    return Tasks.blocking_status(connection, upid, timeout=30, polling_interval=0.05)["exitstatus"]
