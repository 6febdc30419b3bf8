import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { fileBackend, locksOf } from "../../../cli/fileBackend";

/* What Pulumi keeps in a file backend in addition to the states; tests/engine/interruption.test.ts shows that Pulumi does so. */

const home = fs.mkdtempSync(path.join(os.tmpdir(), "file-backend-"));
afterAll(() => fs.rmSync(home, { recursive: true }));
const root = path.join(home, ".pulumi");
const folder = path.join(root, "locks/organization/proxmox-k3s/mine");
const lock = { pid: 4711, username: "kurt", hostname: "desk", timestamp: "2026-11-28T10:00:00.123456789+01:00" };

beforeAll(() => fs.mkdirSync(folder, { recursive: true }));

it("is a folder, also if the URL has parameters", () => {
  expect(fileBackend(`file://${home}?metadata=skip`)).toBe(root);
});

it.each([`s3://bucket${home}`, "https://api.pulumi.com", `file://${home}/gone`])("is not one: %s", (url) => {
  expect(fileBackend(url)).toBeUndefined();
});

it("says who has locked a stack, and ignores other stacks", () => {
  expect(locksOf(root, "proxmox-k3s", "mine")).toEqual([]);
  fs.writeFileSync(path.join(folder, "a.json"), JSON.stringify(lock));
  expect(locksOf(root, "proxmox-k3s", "mine")).toEqual([lock]);
  expect(locksOf(root, "proxmox-k3s", "other")).toEqual([]);
});

it.each([
  ["is not written yet", ""],
  ["has no process", JSON.stringify({ ...lock, pid: undefined })],
  ["has control characters for a terminal", JSON.stringify({ ...lock, hostname: "\u001b[2J" })],
])("leaves out a lock that %s", (_, text) => {
  fs.writeFileSync(path.join(folder, "a.json"), text);
  expect(locksOf(root, "proxmox-k3s", "mine")).toEqual([]);
});
