import { Permissions } from "../../../lab/pve/access/permissions";
import { parseUserConfig, printUserConfig } from "../../../lab/pve/access/userConfig";

const text = `user:ops@pve:1:0:Oda:Ops:::x:
token:ops@pve!all:0:0:whole%3A all:
token:ops@pve!part:0:1::
user:root@pam:1:0::::::

group:admins:ops@pve::

pool:lab:its pool:101,103:local-lvm:

role:Audit:Datastore.Audit,VM.Audit:
role:Power:VM.PowerMgmt:

acl:1:/:ops@pve:Audit:
acl:0:/vms:@admins:Power:
acl:1:/vms/102:ops@pve:NoAccess:
acl:1:/vms:ops@pve!part:Audit,Power:
acl:1:/pool/lab:ops@pve:Power:
`;

describe("permissions", () => {
  const config = parseUserConfig(text);
  const permissions = new Permissions(config);
  const at = (subject: string, path: string) => [...permissions.at(subject, path).keys()].sort();

  test("user.cfg is written back with the same lines", () => {
    const lines = (file: string) => file.split("\n").filter(Boolean).sort();
    expect(lines(printUserConfig(config))).toEqual(lines(text));
    expect(printUserConfig(parseUserConfig(printUserConfig(config)))).toBe(printUserConfig(config));
  });

  test("a grant propagates to paths below, and a deeper one replaces it", () => {
    expect(at("ops@pve", "/storage/local")).toEqual(["Datastore.Audit", "VM.Audit"]);
    expect(at("ops@pve", "/vms/102")).toEqual([]);
  });

  test("a grant without propagation applies only to its own path", () => {
    expect(at("ops@pve", "/vms")).toEqual(["VM.PowerMgmt"]);
    expect(at("ops@pve", "/vms/105")).toEqual(["Datastore.Audit", "VM.Audit"]);
  });

  test("a pool's roles apply to its guests and storages", () => {
    expect(at("ops@pve", "/vms/101")).toEqual(["Datastore.Audit", "VM.Audit", "VM.PowerMgmt"]);
    expect(at("ops@pve", "/storage/local-lvm")).toContain("VM.PowerMgmt");
  });

  test("a separated token has only the privileges that both it and its user have", () => {
    expect(at("ops@pve!all", "/vms/101")).toEqual(at("ops@pve", "/vms/101"));
    expect(at("ops@pve!part", "/vms/105")).toEqual(["Datastore.Audit", "VM.Audit"]);
    expect(at("ops@pve!part", "/vms/101")).toEqual(["Datastore.Audit", "VM.Audit", "VM.PowerMgmt"]);
    expect(at("ops@pve!part", "/storage/local")).toEqual([]);
    expect(at("ops@pve!gone", "/vms/101")).toEqual([]);
  });

  test("root@pam has every privilege, its token does not", () => {
    expect(at("root@pam", "/nodes/pve")).toContain("Sys.Modify");
    expect(at("root@pam!x", "/nodes/pve")).toEqual([]);
  });

  test("the refusal names the path and what is missing", () => {
    expect(() => permissions.check("ops@pve", "/vms/105", ["VM.Audit", "VM.Allocate"])).toThrow(
      "Permission check failed (/vms/105, VM.Allocate)",
    );
    expect(() => permissions.check("ops@pve", "/vms/105", ["VM.Allocate", "VM.Clone"], true)).toThrow(
      "Permission check failed (/vms/105, VM.Allocate|VM.Clone)",
    );
  });
});
