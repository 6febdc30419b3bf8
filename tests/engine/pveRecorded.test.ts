import Ajv from "ajv";
import recorded from "../fixtures/recordedForms.json";
import type { Answer, PveClient } from "../support/httpClient";
import { nodeFields, rootPassword, SimulatedNode } from "../support/pveNode";

// Our answers compared with those of real hosts to the same requests: same keys, same types. The official schema does not describe
// many answers; the recordings do.

let pve: SimulatedNode;
let root: PveClient;
let created: Answer;
let loggedIn: Answer;
/** Tasks wait for this before they begin. */
let gate: Promise<void> | undefined;
beforeAll(async () => {
  pve = await SimulatedNode.start({ onTask: async () => gate });
  loggedIn = await pve.anonymous().post("/access/ticket", { username: "root@pam", password: rootPassword });
  root = await pve.root();
  created = await root.post("/nodes/pve/lxc", nodeFields(101));
  await pve.idle();
});
afterAll(() => pve.stop());

const lxc = "/nodes/pve/lxc/101";
const qemu = "/nodes/pve/qemu/9101";
const qemuFields = {
  cores: 1,
  memory: 512,
  name: "sdk-itest",
  net0: "virtio,bridge=vmbr0",
  scsi0: "local-lvm:8",
  storage: "local-lvm",
};
/** Starts a task and expects success: on the recorded host every task of a machine succeeded. */
async function startTask(answer: Promise<Answer>): Promise<string> {
  const upid = (await answer).body.data as string;
  expect(await root.task(upid)).toBe("OK");
  return upid;
}
const taskStatus = (upid: string) => root.get(`/nodes/pve/tasks/${encodeURIComponent(upid)}/status`);
const resource = async (type: string) =>
  ((await root.get("/cluster/resources")).body.data as { type: string }[]).find((entry) => entry.type === type);
const template = { field: "filename", name: "a.tar.gz", content: Buffer.from("a template") };

/** The same requests to our API, in the order of the recordings: the guest is created, started, stopped, destroyed. */
const ours: Readonly<Record<string, () => Promise<unknown>>> = {
  "the version": async () => (await root.get("/version")).body.data,
  "a login by password": async () => loggedIn.body.data,
  "a user": async () => {
    const { data } = (await root.get("/access/users")).body;
    return (data as { userid: string }[]).filter(({ userid }) => userid === "root@pam");
  },
  "a task that runs": async () => {
    let open = () => {};
    gate = new Promise((resolve) => (open = resolve));
    const upid = (await root.post(`${lxc}/status/start`)).body.data as string;
    const { data } = (await taskStatus(upid)).body;
    open();
    expect(data.status).toBe("running");
    await root.task(upid);
    return data;
  },
  "a task that has ended": async () => {
    const { data } = (await taskStatus(created.body.data as string)).body;
    expect(data.status).toBe("stopped");
    return data;
  },
  "the storages": async () => (await root.get("/storage")).body.data,
  "a node among the resources": () => resource("node"),
  "a storage among the resources": () => resource("storage"),
  "a guest among the resources": () => resource("lxc"),
  "the start of a vzcreate task": async () => created.body.data,
  "the start of a vzstart task": async () => {
    await root.run(root.post(`${lxc}/status/stop`));
    return (await root.post(`${lxc}/status/start`)).body.data;
  },
  "the start of a vzstop task": async () => {
    await pve.idle();
    return (await root.post(`${lxc}/status/stop`)).body.data;
  },
  "the start of a vzdestroy task": async () => {
    await pve.idle();
    return (await root.delete(lxc)).body.data;
  },
  // Same order and same fields as on the recorded host: each request needs the one before it.
  "the start of a qmcreate task": () => startTask(root.post("/nodes/pve/qemu", { ...qemuFields, vmid: 9101 })),
  "the start of a qmstart task": () => startTask(root.post(`${qemu}/status/start`)),
  "the start of a qmsnapshot task": () => startTask(root.post(`${qemu}/snapshot`, { snapname: "itest0" })),
  "the start of a qmrollback task": () => startTask(root.post(`${qemu}/snapshot/itest0/rollback`)),
  "the start of a qmstop task": () => startTask(root.post(`${qemu}/status/stop`)),
  "the start of a qmdestroy task": () => startTask(root.delete(qemu)),
  "the start of a imgcopy task": async () =>
    (await root.upload("/nodes/pve/storage/local/upload", { content: "vztmpl" }, template)).body.data,
};

/** Fields that the recorded hosts have and this node does not: for other nodes, root's e-mail address, high availability. */
const notHere: Readonly<Record<string, readonly string[]>> = {
  "a login by password": ["clustername"],
  "a user": ["email"],
  "a node among the resources": ["hastate"],
  "a guest among the resources": ["hastate"],
};

/** Fields of the official schema of 9.2.3 that the recorded hosts, up to 9.2.2, do not have. */
const newer: Readonly<Record<string, readonly string[]>> = { "a node among the resources": ["host-arch"] };

interface Form {
  readonly items?: Form;
  readonly properties?: Readonly<Record<string, object>>;
  readonly required?: readonly string[];
}

function adapted(form: Form, missing: readonly string[] = [], added: readonly string[] = []): Form {
  const extra = Object.fromEntries(added.map((key) => [key, {}]));
  return {
    ...form,
    ...(form.properties && { properties: { ...form.properties, ...extra } }),
    ...(form.required && { required: form.required.filter((key) => !missing.includes(key)) }),
    ...(form.items && { items: adapted(form.items, missing, added) }),
  };
}

const ajv = new Ajv({ allErrors: true });

test.each(recorded.answers.map(({ what, request, data }) => [what, request, data as Form] as const))(
  "%s has the recorded form (%s)",
  async (what, _request, form) => {
    const validate = ajv.compile(adapted(form, notHere[what], newer[what]));
    const answer = await ours[what]!();
    expect({ problems: validate(answer) ? [] : validate.errors, answer }).toMatchObject({ problems: [] });
  },
);

test("errors have the recorded forms, and every answer the recorded headers", async () => {
  const refusals = {
    "of parameters": await root.get("/nodes/pve/tasks/nonsense/status"),
    "of anything else": await root.get(`/nodes/pve/lxc/999/config`),
  };
  for (const [kind, { status, body }] of Object.entries(refusals)) {
    const form = recorded.errors[kind as keyof typeof recorded.errors];
    expect({ kind, status, problems: ajv.validate(form.body, body) ? [] : ajv.errors }).toEqual({
      ...{ kind, status: form.status, problems: [] },
    });
  }
  for (const { headers } of [loggedIn, ...Object.values(refusals)]) {
    expect(Object.keys(headers)).toEqual(expect.arrayContaining(recorded.headers.always));
    expect(headers).toMatchObject(recorded.headers.values);
  }
});
