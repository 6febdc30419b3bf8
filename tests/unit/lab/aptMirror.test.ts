import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { aptMirror } from "../../../lab/containers/aptMirror";

let folder: string;

beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "apt-"))));
afterEach(() => fs.rmSync(folder, { recursive: true }));

function write(name: string, text: string): void {
  fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  fs.writeFileSync(path.join(folder, name), text);
}

it("reads deb822 sources, comments and security archives apart", () => {
  write(
    "sources.list.d/debian.sources",
    [
      "Types: deb\n# a comment\nURIs: http://security.example/debian-security\nSuites: bookworm-security\nComponents: main",
      "Types: deb-src\nURIs: http://sources.example/debian\nSuites: bookworm\nComponents: main",
      "Enabled: no\nTypes: deb\nURIs: http://off.example/debian\nSuites: bookworm\nComponents: main",
      "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main contrib\n",
    ].join("\n\n"),
  );
  expect(aptMirror(folder)).toBe("http://mirror.example/debian");
});

it("reads one-line sources with options, and ignores other vendors' archives", () => {
  write("sources.list", "# deb http://old.example/debian bookworm main\n");
  write(
    "sources.list.d/vendor.list",
    "deb http://vendor.example/apt node_22.x nodistro\ndeb http://vendor.example/browser stable main\n",
  );
  write(
    "sources.list.d/zz.list",
    "deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib\n",
  );
  expect(aptMirror(folder)).toBe("http://mirror.example/debian");
});

it("fails with a clear message if there is none", () => {
  expect(() => aptMirror(folder)).toThrow("No Debian archive");
});
