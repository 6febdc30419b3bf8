// Pulumi.yaml has Node.js load this before Pulumi's SDK and index.ts (`nodeargs`), so that a run compiles nothing that an
// earlier one has compiled: neither the packages (by V8) nor the program (by esbuild). Both are kept beside the packages.
// Types are checked by `npm run typecheck`.
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const nodeModule = require("node:module");
const path = require("node:path");

const cache = path.join(__dirname, "node_modules/.cache/proxmox-k3s");
const { version } = require("esbuild/package.json");

// NODE_COMPILE_CACHE names another folder. Node.js older than the program needs may lack it; index.ts says so.
nodeModule.enableCompileCache?.(path.join(cache, "compiled"));

function compile(source, file) {
  const options = { sourcefile: file, loader: "ts", format: "cjs", target: "es2022", sourcemap: "inline" };
  return require("esbuild").transformSync(source, options).code;
}

/** The same by what it is made from, whatever its age. */
function compiled(source, file) {
  const kept = path.join(cache, `${createHash("sha256").update(`${version}\n${file}\n${source}`).digest("hex")}.js`);
  if (fs.existsSync(kept)) return fs.readFileSync(kept, "utf8");
  const code = compile(source, file);
  try {
    fs.mkdirSync(cache, { recursive: true });
    // Renamed into place, so that a run beside this one finds all of it or nothing.
    fs.writeFileSync(`${kept}.${process.pid}`, code);
    fs.renameSync(`${kept}.${process.pid}`, kept);
  } catch {
    // The packages may belong to somebody else: then each run compiles.
  }
  return code;
}

const codes = new Map();
require.extensions[".ts"] = (module, file) => {
  const code = compiled(fs.readFileSync(file, "utf8"), file);
  codes.set(file, code);
  module._compile(code, file);
};

// The copy of the SDK that runs: addons/ has an SDK of its own, and Pulumi starts a program in its folder. It would read and
// parse the maps of the SDK too, whose sources are not here.
const ownSdk = require.resolve("@pulumi/pulumi/package.json", { paths: [process.cwd(), __dirname] });
const sdk = nodeModule.createRequire(ownSdk);
sdk("source-map-support").install({
  overrideRetrieveSourceMap: true,
  retrieveSourceMap(file) {
    const map = codes.get(file)?.split("base64,").at(-1);
    return map ? { url: file, map: Buffer.from(map, "base64").toString() } : null;
  },
});
