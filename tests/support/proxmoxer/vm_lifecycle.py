"""Takes a virtual machine through its life with proxmoxer: create, template, clone, change, start, ask, stop, delete.

Prints what it saw, as one JSON object.
"""

import json
import sys

from proxmoxer import ResourceException

from session import node, settings, task

golden = node.qemu(settings["fields"]["vmid"])
guest = node.qemu(105)
seen = {}


def vmids():
    return sorted(entry["vmid"] for entry in node.qemu.get())


seen["before"] = vmids()
seen["create"] = task(node.qemu.create(**settings["fields"]))
seen["template"] = task(golden.template.post())
seen["clone"] = task(golden.clone.post(newid=105, name="k3s-105", full=0))
seen["change"] = guest.config.put(cores=4, ipconfig0="ip=198.18.0.25/24,gw=198.18.0.1")
seen["grow"] = task(guest.resize.put(disk="scsi0", size="8G"))
seen["config"] = guest.config.get()
seen["start"] = task(guest.status.start.post())
seen["running"] = guest.status.current.get()["status"]
links = guest.agent("network-get-interfaces").get()["result"]
seen["addresses"] = [address["ip-address"] for link in links for address in link["ip-addresses"]]
pid = guest.agent("exec").post(command=["uname", "-r"])["pid"]
seen["command"] = guest.agent("exec-status").get(pid=pid)
seen["shutdown"] = task(guest.status.shutdown.post(timeout=10))
seen["delete"] = [task(guest.delete(purge=1)), task(golden.delete())]
seen["after"] = vmids()
try:
    guest.config.get()
except ResourceException as error:
    seen["gone"] = str(error)
json.dump(seen, sys.stdout)
