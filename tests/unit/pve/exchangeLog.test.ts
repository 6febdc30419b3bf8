import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { exchangeLog, readExchangeLog } from "../../../lab/pve/http/exchangeLog";

const answer = { user: "root@pam", status: 200, reason: "OK" };

test("an exchange is recorded without its secrets, and is otherwise the same when read", () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "exchanges-"));
  const file = path.join(folder, "exchanges.jsonl");
  const write = exchangeLog(file);
  const login = { method: "POST", path: "/access/ticket", params: { username: "root@pam", password: "secret-1" } };
  write({
    ...answer,
    ...login,
    body: { data: { ticket: "secret-2", CSRFPreventionToken: "secret-3", cap: { vms: 1 } } },
  });
  const token = { method: "POST", path: "/access/users/a@pve/token/ci", params: { privsep: "1" } };
  write({ ...answer, ...token, body: { data: { "full-tokenid": "a@pve!ci", value: "secret-4" } } });
  const pending = { method: "GET", path: "/nodes/pve/lxc/100/pending", params: {} };
  write({
    ...answer,
    ...pending,
    body: {
      data: [
        { key: "env", value: "A=secret-5" },
        { key: "cores", value: 2 },
      ],
    },
  });
  expect(fs.readFileSync(file, "utf8")).not.toContain("secret-");
  expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  expect(readExchangeLog(file)).toMatchObject([
    { ...login, params: { username: "root@pam", password: "not-shown" }, body: { data: { cap: { vms: 1 } } } },
    { ...token, body: { data: { "full-tokenid": "a@pve!ci" } } },
    { ...pending, body: { data: [{ key: "env" }, { key: "cores", value: 2 }] } },
  ]);
  fs.rmSync(folder, { recursive: true });
});
