/** Privileges by area and by the kind of role that holds them, from `PVE::AccessControl` 9.1. */
const groups: Readonly<
  Record<string, Readonly<Partial<Record<"root" | "admin" | "user" | "audit", readonly string[]>>>>
> = {
  VM: {
    admin: [
      ...["VM.Config.Disk", "VM.Config.CPU", "VM.Config.Memory", "VM.Config.Network", "VM.Config.HWType"],
      ...["VM.Config.Options", "VM.Allocate", "VM.Clone", "VM.GuestAgent.Unrestricted", "VM.Migrate"],
      ...["VM.Replicate", "VM.Snapshot", "VM.Snapshot.Rollback"],
    ],
    user: [
      ...["VM.Config.CDROM", "VM.Config.Cloudinit", "VM.Console", "VM.Backup", "VM.GuestAgent.FileRead"],
      ...["VM.GuestAgent.FileSystemMgmt", "VM.GuestAgent.FileWrite", "VM.PowerMgmt"],
    ],
    audit: ["VM.Audit", "VM.GuestAgent.Audit"],
  },
  Sys: {
    root: ["Sys.PowerMgmt", "Sys.Modify", "Sys.Incoming", "Sys.AccessNetwork"],
    admin: ["Sys.Console", "Sys.Syslog"],
    audit: ["Sys.Audit"],
  },
  Datastore: {
    admin: ["Datastore.Allocate", "Datastore.AllocateTemplate"],
    user: ["Datastore.AllocateSpace"],
    audit: ["Datastore.Audit"],
  },
  SDN: { admin: ["SDN.Allocate", "SDN.Audit"], user: ["SDN.Use"], audit: ["SDN.Audit"] },
  User: { root: ["Realm.Allocate"], admin: ["User.Modify", "Group.Allocate", "Realm.AllocateUser"] },
  Pool: { admin: ["Pool.Allocate"], user: ["Pool.Audit"], audit: ["Pool.Audit"] },
  Mapping: { admin: ["Mapping.Modify"], user: ["Mapping.Use"], audit: ["Mapping.Audit"] },
};

/** Every privilege. */
export const allPrivileges: ReadonlySet<string> = new Set([
  "Permissions.Modify",
  ...Object.values(groups).flatMap((group) => Object.values(group).flat()),
]);

/** The roles that PVE generates and nobody may change. */
export const specialRoles: ReadonlyMap<string, ReadonlySet<string>> = generatedRoles();

function generatedRoles(): Map<string, Set<string>> {
  const roles = new Map<string, Set<string>>([
    ["NoAccess", new Set()],
    ["Administrator", new Set(allPrivileges)],
    ["PVETemplateUser", new Set(["VM.Clone", "VM.Audit"])],
  ]);
  const grant = (role: string, privileges: readonly string[]) =>
    privileges.forEach((privilege) => roles.set(role, (roles.get(role) ?? new Set()).add(privilege)));
  for (const [area, { admin = [], user = [], audit = [] }] of Object.entries(groups)) {
    grant(`PVE${area}Admin`, [...admin, ...user, ...audit]);
    grant("PVEAdmin", [...admin, ...user, ...audit]);
    if (user.length > 0) grant(`PVE${area}User`, [...user, ...audit]);
    grant("PVEAuditor", audit);
  }
  roles.get("PVEAdmin")?.delete("Mapping.Modify");
  return roles;
}
