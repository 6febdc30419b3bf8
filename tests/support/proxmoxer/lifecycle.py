"""Lists, creates, starts, stops and deletes a container with proxmoxer.

Reads where and as whom from standard input, as JSON; prints what it saw, as one JSON object.
"""

import json
import sys

from proxmoxer import ProxmoxAPI, ResourceException
from proxmoxer.tools import Tasks

settings = json.load(sys.stdin)
server = {"port": settings["port"], "verify_ssl": settings["ca"]}
user, _, token = settings["apiToken"].partition("!")
name, _, value = token.partition("=")
pve = ProxmoxAPI("127.0.0.1", user=user, token_name=name, token_value=value, **server)
node = pve.nodes("pve")
guest = node.lxc(settings["fields"]["vmid"])
seen = {}


def task(upid, connection=pve):
    return Tasks.blocking_status(connection, upid, timeout=30, polling_interval=0.05)["exitstatus"]


def vmids():
    return [entry["vmid"] for entry in node.lxc.get()]


seen["before"] = vmids()
seen["create"] = task(node.lxc.create(**settings["fields"]))
seen["config"] = guest.config.get()
seen["start"] = task(guest.status.start.post())
seen["running"] = guest.status.current.get()["status"]
stopped = guest.status.stop.post()
seen["stop"] = task(stopped)
seen["log"] = Tasks.decode_log(node.tasks(stopped).log.get())
seen["delete"] = task(guest.delete())
seen["after"] = vmids()
try:
    guest.config.get()
except ResourceException as error:
    seen["gone"] = str(error)

# A password instead of a token, and a file.
root = ProxmoxAPI("127.0.0.1", user="root@pam", password=settings["rootPassword"], **server)
with open(settings["file"], "rb") as file:
    upload = root.nodes("pve").storage("local").upload.create(content="vztmpl", filename=file)
seen["upload"] = task(upload, root)
seen["content"] = [entry["volid"] for entry in root.nodes("pve").storage("local").content.get(content="vztmpl")]
json.dump(seen, sys.stdout)
