import { compare } from "../../../cli/status/compare";
import { renderPage } from "../../../cli/status/page";
import { renderStatus, renderStatusJson } from "../../../cli/status/table";
import { loadPlan } from "../../../plan/load";
import { goodSight, nodeSight, seen, withNode } from "../../support/statusSight";
import { homelabConfig } from "../config/support";

/* What a person, a program and a browser get from a status. */

const PLAN = loadPlan(homelabConfig());
const W1 = "k3s-worker-01";
const status = compare(PLAN, withNode(PLAN, W1, { isReady: false }));

test("for a person: one line for each node, then the findings", () => {
  const text = renderStatus(status);
  expect(text).toMatch(/^homelab, K3s v1\.36\.3\+k3s1: differs from the plan\n\nNODE +ROLE +VMID /);
  expect(text).toMatch(/^k3s-worker-01 +agent +102 +192\.168\.2\.21 +pve +running +NotReady +v1\.36\.3\+k3s1$/m);
  expect(text).toMatch(/^✗ nodes +k3s-worker-01 is NotReady\n +→ pct exec 102/m);
  expect(text).toMatch(/\d+ passed, 1 failed\n$/);
});

test("for programs: the same", () => {
  expect(JSON.parse(renderStatusJson(status))).toMatchObject({
    cluster: "homelab",
    verdict: "differs",
    nodes: [{ name: "k3s-master" }, { name: W1, kubernetes: "NotReady", level: "fail" }, {}],
  });
});

test("as a page: one file that loads nothing, with every node in its picture", () => {
  const page = renderPage(status);
  expect(page).toContain("default-src 'none'");
  expect(page).toContain("prefers-color-scheme: dark");
  expect(page).not.toMatch(/<script|<link|<img|src=|href=|url\(|@import/);
  const [, picture = ""] = /<svg([^]*)<\/svg>/.exec(page) ?? [];
  for (const { name } of PLAN.nodes) expect(picture).toContain(name);
  expect(picture.match(/class="card fail"/g)).toHaveLength(1);
});

test("a page takes no markup from any message", () => {
  const evil = `<script>alert('1')</script>"&`;
  const good = goodSight(PLAN);
  const nodes = [...seen(good.cluster).nodes!, { ...nodeSight(PLAN.nodes[1]!, PLAN), name: evil, version: evil }];
  const page = renderPage(
    compare(PLAN, {
      ...good,
      cluster: { seen: { ...seen(good.cluster), nodes } },
      listed: { why: evil, remedy: evil },
    }),
  );
  expect(page).not.toContain("<script");
  expect(page).toContain("&#60;script&#62;alert(&#39;1&#39;)&#60;/script&#62;&#34;&#38;");
});

describe("what could not be checked", () => {
  const blind = { why: "the host cannot be reached", remedy: "npx proxmox-k3s doctor" };

  test("is shown, counts as no difference, and does not match the plan", () => {
    const status = compare(PLAN, { ...goodSight(PLAN), marked: blind, cluster: blind });
    expect([...new Set(status.findings.map(({ level }) => level))].sort()).toEqual(["ok", "skip"]);
    expect(status.verdict).toBe("unknown");
    expect(status.nodes.map(({ guest, kubernetes, level }) => [guest, kubernetes, level])).toEqual(
      PLAN.nodes.map(() => ["unknown", "not checked", "skip"]),
    );
  });

  test("does not hide a difference", () => {
    const sight = { ...withNode(PLAN, W1, { isReady: false }), listed: blind };
    expect(compare(PLAN, sight).verdict).toBe("differs");
    const others = compare(PLAN, sight).findings.filter(({ level }) => level !== "ok");
    expect(others.map(({ level, check, seen: words }) => `${level} ${check}: ${words}`)).toEqual([
      "skip guests: not checked: the host cannot be reached",
      "fail nodes: k3s-worker-01 is NotReady",
    ]);
  });
});
