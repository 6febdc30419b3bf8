import { planAccess } from "../../plan/render/roles";

const { roles, bindings } = planAccess({
  viewers: ["group:family", "serviceaccount:tools/dashboard"],
  operators: ["user:anna@example.org", "group:family"],
});
const rbac = { apiGroup: "rbac.authorization.k8s.io" };

test("viewers and operators may read, only operators may operate", () => {
  const everybody = [
    { kind: "Group", name: "family", ...rbac },
    { kind: "ServiceAccount", name: "dashboard", namespace: "tools" },
    { kind: "User", name: "anna@example.org", ...rbac },
  ];
  expect(bindings).toEqual([
    { name: "proxmox-k3s-view", role: "view", subjects: everybody },
    { name: "proxmox-k3s-viewer", role: "proxmox-k3s-viewer", subjects: everybody },
    {
      name: "proxmox-k3s-operator",
      role: "proxmox-k3s-operator",
      subjects: [
        { kind: "User", name: "anna@example.org", ...rbac },
        { kind: "Group", name: "family", ...rbac },
      ],
    },
  ]);
});

test("a role that nobody has is not bound", () => {
  expect(planAccess({ viewers: [], operators: [] }).bindings).toEqual([]);
  expect(planAccess({ viewers: ["user:ben"], operators: [] }).bindings.map(({ name }) => name)).toEqual([
    ...["proxmox-k3s-view", "proxmox-k3s-viewer"],
  ]);
});

test("what each role may do in addition to reading", () => {
  const verbs = roles.flatMap(({ name, rules }) =>
    rules.flatMap(({ resources, verbs }) =>
      resources.flatMap((resource) =>
        verbs.filter((verb) => !["get", "list", "watch"].includes(verb)).map((verb) => `${name}: ${verb} ${resource}`),
      ),
    ),
  );
  expect(verbs.sort()).toEqual([
    "proxmox-k3s-operator: create pods/eviction",
    "proxmox-k3s-operator: delete pods",
    "proxmox-k3s-operator: patch deployments/scale",
    "proxmox-k3s-operator: patch nodes",
    "proxmox-k3s-operator: patch replicasets/scale",
    "proxmox-k3s-operator: patch statefulsets/scale",
    "proxmox-k3s-operator: update deployments/scale",
    "proxmox-k3s-operator: update replicasets/scale",
    "proxmox-k3s-operator: update statefulsets/scale",
  ]);
});

test("no role reads secrets, runs commands in pods, or gives itself more", () => {
  const named = roles.flatMap(({ rules }) =>
    rules.flatMap(({ apiGroups, resources }) => resources.map((resource) => `${apiGroups.join()}/${resource}`)),
  );
  expect(named.filter((name) => /secrets|rbac|helm|\/(exec|attach|portforward|proxy|token)$/.test(name))).toEqual([]);
  // A star in a group of Kubernetes itself could mean any of these rights.
  const stars = named.filter((name) => name.includes("*"));
  expect(stars.filter((name) => !/^[a-z.]*(fluxcd\.io|longhorn\.io|coreos\.com)\/\*$/.test(name))).toEqual([]);
});
