"""Lists, creates, starts, stops and deletes a container with proxmoxer.

Prints what it saw, as one JSON object.
"""

import json
import sys

from proxmoxer import ProxmoxAPI, ResourceException
from proxmoxer.tools import Tasks

from session import node, server, settings, task

guest = node.lxc(settings["fields"]["vmid"])
seen = {}


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

# With a password instead of a token, and an upload.
root = ProxmoxAPI("127.0.0.1", user="root@pam", password=settings["rootPassword"], **server)
with open(settings["file"], "rb") as file:
    upload = root.nodes("pve").storage("local").upload.create(content="vztmpl", filename=file)
seen["upload"] = task(upload, root)
seen["content"] = [entry["volid"] for entry in root.nodes("pve").storage("local").content.get(content="vztmpl")]
json.dump(seen, sys.stdout)
